"""What a model folder holds: config, tokenizer and safetensors weights, checked without loading."""

import hashlib
import json
import struct
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow_scripts.common.artifacts import read_json
from workflow_scripts.common.errors import InputError

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json")
DTYPES = {"BF16": "bfloat16", "F16": "float16", "F32": "float32", "F64": "float64"}


@dataclass(frozen=True)
class TensorEntry:
    """One tensor as the header of a safetensors file names it."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: str

    @property
    def numel(self) -> int:
        """Number of elements."""
        count = 1
        for size in self.shape:
            count *= size
        return count


def read_config(folder: Path) -> dict[str, Any]:
    """`config.json` of a model folder, with an architecture that this package can train or serve.

    Raises InputError when it is absent or names no causal language model.
    """
    path = folder / "config.json"
    if not path.is_file():
        raise InputError(
            f"{folder}: no config.json; `path` must be a folder that transformers loads"
        )
    config = read_json(path)
    names = config.get("architectures") or []
    if len(names) != 1 or not str(names[0]).endswith("ForCausalLM"):
        raise InputError(
            f"{path}: architectures is {names!r}; "
            "one causal language model (...ForCausalLM) is needed"
        )
    return config


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a model folder, sorted by name.

    With an index, every shard that it names. Raises InputError naming what is missing; pickled
    weights (`.bin`, `.pt`) are never read.
    """
    if (folder / INDEX).is_file():
        return _indexed_shards(folder)
    if (folder / SINGLE).is_file():
        return [folder / SINGLE]
    pickles = sorted(path.name for path in folder.glob("*.bin")) + sorted(
        path.name for path in folder.glob("*.pt")
    )
    found = f"; found {', '.join(pickles)}, which may run code when read" if pickles else ""
    raise InputError(
        f"{folder}: no {SINGLE} and no {INDEX}{found}; convert the model to safetensors"
    )


def _indexed_shards(folder: Path) -> list[Path]:
    index = read_json(folder / INDEX)
    weight_map = index.get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise InputError(f"{folder / INDEX}: no weight_map; download the model again")
    names = sorted(set(weight_map.values()))
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise InputError(
            f"{folder}: {len(missing)} of {len(names)} weight shards are missing "
            f"({', '.join(missing[:5])}); download the model again"
        )
    entries = {entry.name: entry.file for entry in tensors([folder / name for name in names])}
    wrong = sorted(name for name, file in weight_map.items() if entries.get(name) != file)
    if wrong:
        raise InputError(
            f"{folder}: {len(wrong)} tensors are not in the shard that {INDEX} names "
            f"(first: {wrong[0]} in {weight_map[wrong[0]]}); the shards do not belong together"
        )
    return [folder / name for name in names]


def tensors(files: list[Path]) -> list[TensorEntry]:
    """Every tensor of the files, from their headers alone."""
    return [entry for path in files for entry in _header(path)]


def _header(path: Path) -> list[TensorEntry]:
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > path.stat().st_size:
                raise ValueError("header longer than the file")
            header = json.loads(file.read(length))
    except (struct.error, ValueError) as error:
        raise InputError(f"{path} is no safetensors file ({error}); download it again") from None
    header.pop("__metadata__", None)
    end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
    if path.stat().st_size != 8 + length + end:
        raise InputError(f"{path} is cut short or too long; download it again")
    return [
        TensorEntry(name, entry["dtype"], tuple(entry["shape"]), path.name)
        for name, entry in header.items()
    ]


def weights_digest(files: list[Path]) -> str:
    """SHA-256 (hex) over the files' own SHA-256s in order of their names."""
    with ThreadPoolExecutor(4) as pool:
        sums = list(pool.map(_sha256, sorted(files)))
    return hashlib.sha256("".join(sums).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def describe(folder: Path) -> dict[str, Any]:
    """The facts of a model folder that `model.json` carries.

    Checks config, tokenizer and weights; InputError says what is missing or does not fit.
    """
    config = read_config(folder)
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise InputError(
            f"{folder}: no tokenizer (none of {', '.join(TOKENIZER_FILES)}); copy it from the base"
        )
    files = weight_files(folder)
    entries = tensors(files)
    _check_shapes(folder, config, entries)
    counts = Counter[str]()
    for entry in entries:
        counts[entry.dtype] += entry.numel
    kind = counts.most_common(1)[0][0]
    if kind not in DTYPES:
        raise InputError(f"{folder}: weights are {kind}; use a model in bf16, fp16 or fp32")
    return {
        "digest": weights_digest(files),
        "architecture": config["architectures"][0],
        "parameters": counts.total(),
        "context": config.get("max_position_embeddings"),
        "dtype": DTYPES[kind],
    }


def _check_shapes(folder: Path, config: dict[str, Any], entries: list[TensorEntry]) -> None:
    """The embedding and the number of layers must be those of config.json."""
    embedding = [e for e in entries if e.name.endswith("embed_tokens.weight")]
    expected = (config.get("vocab_size"), config.get("hidden_size"))
    if embedding and None not in expected and embedding[0].shape != expected:
        raise InputError(
            f"{folder}: {embedding[0].name} is {list(embedding[0].shape)}, but config.json says "
            f"{list(expected)}; weights and config belong to different models"
        )
    layers = {e.name.split(".layers.")[1].split(".")[0] for e in entries if ".layers." in e.name}
    if layers and len(layers) != config.get("num_hidden_layers", len(layers)):
        raise InputError(
            f"{folder}: the weights hold {len(layers)} layers, config.json says "
            f"{config['num_hidden_layers']}; weights and config belong to different models"
        )
