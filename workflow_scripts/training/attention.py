"""Causal attention over packed samples: no sample sees another, and no mask is built.

A backend is registered with transformers under one name; the model's own layers call it with
queries [1, H, T, D] and keys and values [1, H_kv, T, D] of all samples of a micro-batch.
transformers builds no mask for a name that it does not know.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from workflow_scripts.common.errors import ConfigError, UserError
from workflow_scripts.training.flops import head_dim
from workflow_scripts.training.micro_batch import Packed

NAME = "s1flow_packed"
FACTS = ("bounds", "cu_seqlens", "longest", "edges", "block_mask")
TOLERANCE = 1e-2  # relative error against float32, forward and gradients, bf16 inputs

Kernel = Callable[..., torch.Tensor]


def _nothing(*_: Any) -> None:
    """Most kernels need no preparation."""


@dataclass(frozen=True)
class Backend:
    """One way to compute packed attention.

    kernel     (query, key, value, scale, **bounds) -> [1, T, H, D]
    arguments  which facts of a `Packed` the kernel takes
    prepare    (config, lengths, device, dtype, recomputed): do now what the kernel would do at the
               first sight of each sample length; `config` is the transformers configuration, the
               rest as in cudnn_attention.build_plans
    """

    name: str
    kernel: Kernel
    arguments: Callable[[Packed], dict[str, Any]]
    prepare: Callable[..., None] = _nothing


def _sdpa(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float, bounds: Any
) -> torch.Tensor:
    """torch's scaled_dot_product_attention, sample by sample."""
    grouped = query.shape[1] != key.shape[1]
    lengths = [stop - start for start, stop in zip(bounds[:-1], bounds[1:], strict=True)]
    samples = zip(*(x.split(lengths, dim=2) for x in (query, key, value)), strict=True)
    parts = [
        F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale, enable_gqa=grouped)
        for q, k, v in samples
    ]
    return torch.cat(parts, dim=2).transpose(1, 2)


def _varlen(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    scale: float,
    cu_seqlens: torch.Tensor,
    longest: int,
) -> torch.Tensor:
    """torch's own variable-length FlashAttention kernel."""
    from torch.nn.attention.varlen import varlen_attn

    q, k, v = (x[0].transpose(0, 1).contiguous() for x in (query, key, value))
    out = varlen_attn(
        q, k, v, cu_seqlens, cu_seqlens, longest, longest, scale=scale, window_size=(-1, 0)
    )
    return out[None]


def _flash(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    scale: float,
    cu_seqlens: torch.Tensor,
    longest: int,
) -> torch.Tensor:
    """The flash-attn package."""
    from flash_attn import flash_attn_varlen_func

    q, k, v = (x[0].transpose(0, 1).contiguous() for x in (query, key, value))
    out = flash_attn_varlen_func(
        q, k, v, cu_seqlens, cu_seqlens, longest, longest, softmax_scale=scale, causal=True
    )
    return out[None]


def _cudnn(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float, edges: torch.Tensor
) -> torch.Tensor:
    """cuDNN's kernels, sample by sample."""
    from workflow_scripts.training.cudnn_attention import cudnn_packed

    q, k, v = (x[0].transpose(0, 1).contiguous() for x in (query, key, value))
    return cudnn_packed(q, k, v, edges, scale)[0][None]


def _cudnn_plans(
    config: Any,
    lengths: np.ndarray,
    device: torch.device,
    dtype: torch.dtype,
    recomputed: bool,
) -> None:
    from workflow_scripts.training.cudnn_attention import build_plans

    heads = (config.num_attention_heads, config.num_key_value_heads, head_dim(config))
    build_plans(lengths, heads, device, dtype, recomputed)


def _flex(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float, block_mask: Any
) -> torch.Tensor:
    """FlexAttention with a mask of whole samples."""
    # Packs under 128 tokens would get the kernel for decoding, for which torch 2.13 finds no
    # configuration with these masks: "No choices exist for backend".
    options = {"BACKEND": "TRITON"} if query.is_cuda else None
    out = _flex_compiled()(
        query,
        key,
        value,
        block_mask=block_mask,
        scale=scale,
        enable_gqa=True,
        kernel_options=options,
    )
    return out.transpose(1, 2)


@cache
def _flex_compiled() -> Any:
    from torch.nn.attention.flex_attention import flex_attention

    return torch.compile(flex_attention, dynamic=True)


def _by_block_mask(batch: Packed) -> dict[str, Any]:
    from torch.nn.attention.flex_attention import create_block_mask

    places = torch.arange(batch.tokens, device=batch.cu_seqlens.device)
    sample = torch.bucketize(places, batch.cu_seqlens[1:], right=True)

    def visible(_b: Any, _h: Any, row: Any, column: Any) -> Any:
        return (row >= column) & (sample[row] == sample[column])

    device = str(batch.cu_seqlens.device)
    mask = create_block_mask(visible, None, None, batch.tokens, batch.tokens, device=device)
    return {"block_mask": mask}


def _by_edges(batch: Packed) -> dict[str, Any]:
    return {"edges": torch.tensor(batch.bounds)}


def _by_bounds(batch: Packed) -> dict[str, Any]:
    return {"bounds": batch.bounds}


def _by_cu_seqlens(batch: Packed) -> dict[str, Any]:
    return {"cu_seqlens": batch.cu_seqlens, "longest": batch.longest}


BACKENDS = {
    "sdpa": Backend("sdpa", _sdpa, _by_bounds),
    "varlen": Backend("varlen", _varlen, _by_cu_seqlens),
    "flash": Backend("flash", _flash, _by_cu_seqlens),
    "cudnn": Backend("cudnn", _cudnn, _by_edges, _cudnn_plans),
    "flex": Backend("flex", _flex, _by_block_mask),
}


def install(backend: Backend) -> str:
    """Register the backend with transformers; returns the name to load models with."""
    from transformers import AttentionInterface

    def attend(
        module: torch.nn.Module,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: torch.Tensor | None,
        scaling: float | None = None,
        dropout: float = 0.0,
        sliding_window: int | None = None,
        **facts: Any,
    ) -> tuple[torch.Tensor, None]:
        if attention_mask is not None or dropout or sliding_window or facts.get("softcap"):
            raise UserError(
                "packed training supports plain causal attention only (no mask, dropout, sliding "
                "window or soft cap); this model needs one of them"
            )
        scale = scaling if scaling is not None else 1.0 / math.sqrt(query.shape[-1])
        wanted = {name: facts[name] for name in FACTS if name in facts}
        return backend.kernel(query, key, value, scale, **wanted), None

    AttentionInterface.register(NAME, attend)
    return NAME


def relative_error(backend: Backend, device: torch.device, dtype: torch.dtype) -> float:
    """Largest ||x - ref|| / ||ref|| over output and the three gradients on random packed input.

    The reference is float32 attention with an explicit mask. 16 query heads and 2 key heads of 128,
    samples of 257, 64 and 131 tokens.
    """
    generator = torch.Generator().manual_seed(0)
    bounds = (0, 257, 321, 452)
    shapes = [(1, heads, bounds[-1], 128) for heads in (16, 2, 2, 16)]
    drawn = [torch.randn(shape, generator=generator).to(dtype) for shape in shapes]
    exact = _with_gradients(_reference, [x.float() for x in drawn], bounds)
    batch = _bounds_only(bounds, device)
    moved = [x.to(device) for x in drawn]

    def kernel(q: Any, k: Any, v: Any, scale: float, _: Any) -> torch.Tensor:
        return backend.kernel(q, k, v, scale, **backend.arguments(batch))

    found = _with_gradients(kernel, moved, bounds)
    pairs = zip(found, exact, strict=True)
    return max(float((a.float().cpu() - b).norm() / b.norm()) for a, b in pairs)


def _bounds_only(bounds: tuple[int, ...], device: torch.device) -> Packed:
    empty = torch.empty(0)
    cu_seqlens = torch.tensor(bounds, dtype=torch.int32, device=device)
    return Packed(empty, empty, bounds, cu_seqlens, empty, empty, empty)


def _with_gradients(kernel: Any, drawn: list[torch.Tensor], bounds: Any) -> list[torch.Tensor]:
    q, k, v = (x.clone().requires_grad_() for x in drawn[:3])
    out = kernel(q, k, v, 1.0 / math.sqrt(q.shape[-1]), bounds)
    grads = torch.autograd.grad(out, (q, k, v), drawn[3].transpose(1, 2))
    return [out.detach(), *grads]


def _reference(q: Any, k: Any, v: Any, scale: float, bounds: Any) -> torch.Tensor:
    sample = torch.bucketize(torch.arange(q.shape[2]), torch.tensor(bounds[1:]), right=True)
    mask = (sample[:, None] == sample[None, :]).tril()
    repeat = q.shape[1] // k.shape[1]
    scores = (q @ k.repeat_interleave(repeat, 1).transpose(-1, -2)) * scale
    weights = scores.masked_fill(~mask, float("-inf")).softmax(-1)
    return (weights @ v.repeat_interleave(repeat, 1)).transpose(1, 2)


def choose(wanted: str, device: torch.device, dtype: torch.dtype) -> tuple[Backend, float]:
    """The backend to train with and its relative error on this machine.

    `auto`: on a GPU the first that runs and passes the gate, in the order cudnn, varlen, flex,
    sdpa; on a CPU sdpa. ConfigError when a named one is absent or fails.
    """
    if device.type == "cpu":
        names = ["sdpa"] if wanted == "auto" else [wanted]
    else:
        names = ["cudnn", "varlen", "flex", "sdpa"] if wanted == "auto" else [wanted]
    problems = []
    for name in names:
        if name not in BACKENDS:
            raise ConfigError(f"training.attention: {name!r}; use auto, {', '.join(BACKENDS)}")
        try:
            error = relative_error(BACKENDS[name], device, dtype)
        except (ImportError, RuntimeError, TypeError, ValueError) as problem:
            problems.append(f"{name}: {type(problem).__name__}: {problem}")
            continue
        if error <= TOLERANCE:
            return BACKENDS[name], error
        problems.append(f"{name}: relative error {error:.1e} is above {TOLERANCE:.0e}")
    raise ConfigError(f"training.attention: none works here ({'; '.join(problems)})")
