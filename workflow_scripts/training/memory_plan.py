"""How many tokens go through the model at once, and how many layers recompute activations.

Recomputing a layer costs a third of its arithmetic again, so only what does not fit is recomputed,
decided for every pack. All numbers are bytes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from workflow_scripts.training.flops import head_dim

CPU_TOKENS = 4096  # wide enough for the matrix products, small enough for the caches
SMALLEST, LARGEST = 8192, 16384  # packs beyond this gain nothing more on one GPU
LARGEST_SHARED = 32768  # several GPUs: the share of a step in one pack, its sums hidden behind it
MARGIN = 1.5 * 2**30  # fragments, kernels' work space


@dataclass(frozen=True)
class MemoryPlan:
    """Packed tokens per forward pass, and the layers to recompute for a pack of given size.

    token_bytes  activation bytes that one token holds in one layer without recomputation
    kept_bytes   the same with recomputation (the layer's input)
    pass_bytes   per token, whatever is recomputed: one layer's backward, embeddings, final norm
    fixed_bytes  needed whatever the pack: loss slab, gradients of the vocabulary matrix, margin
    free_bytes   what the device has left after model and optimiser
    """

    micro_batch_tokens: int
    layers: int
    mode: str = "auto"
    token_bytes: float = 0
    kept_bytes: float = 0
    pass_bytes: float = 0
    fixed_bytes: float = 0
    free_bytes: float = 0

    def recompute(self, tokens: int) -> int:
        """Number of layers whose activations must be recomputed for a pack of `tokens`."""
        if self.mode != "auto":
            return self.layers if self.mode == "all" else 0
        if not self.token_bytes:
            return 0
        room = self.free_bytes - self.fixed_bytes - tokens * self.pass_bytes
        short = tokens * self.token_bytes * self.layers - room
        saved = tokens * (self.token_bytes - self.kept_bytes)
        return min(self.layers, max(0, int(-(-short // saved))))


def cpu_plan(micro_batch_tokens: int | str, layers: int, mode: str) -> MemoryPlan:
    """Plan for a CPU, where memory is no concern at the sizes that a CPU can train."""
    tokens = CPU_TOKENS if micro_batch_tokens == "auto" else int(micro_batch_tokens)
    return MemoryPlan(tokens, layers, mode)


def measure_token_bytes(hidden: Callable[[], Any], tokens: int, layers: int) -> float:
    """Bytes that one token holds in one layer between forward and backward, measured on the GPU.

    `hidden` runs the decoder on `tokens` tokens with nothing recomputed.
    """
    hidden()  # the first call compiles and fills caches
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    out = hidden()
    torch.cuda.synchronize()
    held = torch.cuda.memory_allocated() - before
    del out
    return held / tokens / layers


def gpu_plan(
    micro_batch_tokens: int | str,
    mode: str,
    config: Any,
    compiled: bool,
    slab_rows: int,
    free_bytes: float,
    measured: float | None = None,
    processes: int = 1,
    gathered_bytes: float = 0,
) -> MemoryPlan:
    """Plan for a GPU with `free_bytes` left once parameters, gradients and Adam states are there.

    `config` is the transformers configuration. Activation sizes are for bf16 and a gated MLP:
    compiled layers keep two residuals, rotated queries, keys and values, the attention output, gate
    and up; uncompiled ones keep norms in float32 and the gated product as well. `measured` (bytes
    per token and layer, from `measure_token_bytes`) replaces that estimate. `gathered_bytes` is
    what ZeRO-3 gathers and sums at once; as it gathers every weight for every pack, few large packs
    that recompute layers are better than many small ones, and the pack may need recomputation.
    """
    layers, width, ffn = config.num_hidden_layers, config.hidden_size, config.intermediate_size
    heads, kv_heads, size = config.num_attention_heads, config.num_key_value_heads, head_dim(config)
    per_token = 2 * (2 * width + (2 * heads + 2 * kv_heads) * size + 2 * ffn) + 4 * heads
    if not compiled:
        per_token += 2 * (6 * width + 2 * ffn + (heads + kv_heads) * size) + 8 * width
    per_token = measured or per_token
    vocabulary = config.vocab_size
    fixed = slab_rows * vocabulary * 2 + vocabulary * width * (4 + 2 + 2) + MARGIN + gathered_bytes
    kept = 2 * width
    one_pass = per_token + 2 * (3 * ffn + 4 * width) + 4 * 2 * width
    room = free_bytes - fixed
    tokens = micro_batch_tokens
    if tokens == "auto":
        fits = room / (one_pass + (kept if gathered_bytes else per_token) * layers)
        largest = LARGEST if processes == 1 else LARGEST_SHARED
        tokens = min(largest, max(SMALLEST, int(fits) // 512 * 512))
    return MemoryPlan(int(tokens), layers, mode, per_token, kept, one_pass, fixed, free_bytes)
