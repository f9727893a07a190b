"""A training set with the lengths of s1K and random ids, and the Qwen2.5-3B shape."""

from typing import Any

import numpy as np

from workflow_scripts.training.token_store import TokenStore

PROMPT = 180
LONGEST = 9109  # of s1K under this tokenizer; 74 % of its samples exceed 4,096, mean 4.7K

QWEN_3B = {
    "vocab_size": 151_936,
    "hidden_size": 2048,
    "intermediate_size": 11_008,
    "num_hidden_layers": 36,
    "num_attention_heads": 16,
    "num_key_value_heads": 2,
    "max_position_embeddings": 32_768,
    "rope_theta": 1_000_000.0,
    "tie_word_embeddings": True,
    "use_cache": False,
}


TINY = QWEN_3B | {"vocab_size": 512, "hidden_size": 64, "intermediate_size": 128}
TINY |= {"num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2}


def shape_for(device: str) -> dict[str, Any]:
    """The 3B shape on a GPU; a toy on a CPU, to check that everything runs."""
    return QWEN_3B if device == "cuda" else TINY


def s1k_lengths(count: int, seed: int) -> np.ndarray:
    """Log-normal lengths with mean 4.7K and 74 % over 4,096; the last one is the longest of s1K."""
    rng = np.random.default_rng(seed)
    lengths = np.exp(rng.normal(8.4375, 0.19, size=count)).astype(np.int64)
    lengths = np.minimum(lengths, LONGEST)
    lengths[-1] = LONGEST
    return lengths


def store_of(lengths: np.ndarray, vocabulary: int, seed: int) -> TokenStore:
    """Random ids in samples of the given lengths."""
    rng = np.random.default_rng(seed)
    lengths = np.asarray(lengths, dtype=np.int64)
    ids = rng.integers(0, vocabulary, size=int(lengths.sum()), dtype=np.int32)
    offsets = np.cumsum(lengths) - lengths
    names = [f"sample-{i}" for i in range(len(lengths))]
    return TokenStore(ids, names, offsets, lengths, np.full(len(lengths), PROMPT))


def random_model(shape: dict[str, Any], attention: str, device: str, dtype: Any) -> Any:
    """A Qwen2 model with random weights, made on the device."""
    import torch
    from transformers import AutoModelForCausalLM, Qwen2Config

    torch.manual_seed(0)
    config = Qwen2Config(**shape, architectures=["Qwen2ForCausalLM"])
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config, dtype=dtype, attn_implementation=attention)
    return model
