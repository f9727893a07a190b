"""What a model's weights and its key-value cache take, from its config.json."""

from pathlib import Path
from typing import Any

from workflow_scripts.common.artifacts import read_json
from workflow_scripts.common.errors import InputError


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
