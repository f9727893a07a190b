"""What a model's weights and its key-value cache take, and the host memory of its engines."""

from pathlib import Path
from typing import Any

from workflow_scripts.common.artifacts import read_json
from workflow_scripts.common.errors import InputError

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
JOB = 4e9  # bytes: torch, vLLM, and 10,000 rows of 4,000 ids (2.1 GB, measured) for the manifest
ENGINE = 6e9  # bytes on the host of an engine process with CUDA


def model_config(path: Path) -> dict[str, Any]:
    """config.json of a model folder; the text part where a model has several."""
    config = read_json(path / "config.json")
    return config.get("text_config", config)


def cache_bytes_per_token(path: Path, bytes_per_value: int) -> int:
    """Bytes of keys and values per token: 2 x layers x KV heads x head width x bytes.

    Raises InputError naming the key that the config lacks.
    """
    config = model_config(path)
    try:
        layers, heads = config["num_hidden_layers"], config["num_attention_heads"]
        kv_heads = config.get("num_key_value_heads") or heads
        width = config.get("head_dim") or config["hidden_size"] // heads
    except KeyError as error:
        raise InputError(f"{path}/config.json has no {error}, so its cache has no size") from None
    return 2 * layers * kv_heads * width * bytes_per_value


def engine_host_bytes(parameters: int, inference: dict[str, Any], gpus: int, cache: float) -> float:
    """Host memory of a job that decodes with a model: the job, its engines and their weights.

    cache  bytes of the key-value cache, which lies on the host on a CPU
    On GPUs the weights count once, as pages of the files that the engines read. On a CPU they count
    twice: a file's pages, and the copy in the format of the arithmetic.
    """
    engine = inference["engine"]
    if engine["kind"] != "vllm":
        return JOB
    weights = parameters * BYTES.get(engine["dtype"], 2)
    if engine["device"] == "cpu":
        return JOB + 2 * weights + cache
    return JOB + weights + ENGINE * max(1, gpus, engine.get("tensor_parallel", 1))
