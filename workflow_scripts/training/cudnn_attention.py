"""Packed causal attention through cuDNN, one sample at a time.

On Hopper GPUs cuDNN's kernels are faster than the FlashAttention 2 kernel inside torch, but torch
reaches them for whole batches only. Samples of thousands of tokens fill the GPU on their own, so a
loop over the few samples of a micro-batch costs nothing.

cuDNN builds a plan per shape. Lengths are rounded up to a multiple of `STEP`: rows past a sample's
end see only tokens after it, which causality hides from the sample's own rows, and their gradient
is set to zero.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint

STEP = 128

# cuDNN's plans live in a cache per thread: backward passes run in autograd's own.
_forward = torch.ops.aten._scaled_dot_product_cudnn_attention
_backward = torch.ops.aten._scaled_dot_product_cudnn_attention_backward


def _rounded(length: int) -> int:
    return -(-length // STEP) * STEP


def _rows(x: torch.Tensor, start: int, length: int, size: int, clean: bool) -> torch.Tensor:
    """Rows [start, start + size) of x [T, H, D] as [1, H, size, D].

    Rows past `length` are whatever follows, or zero where `clean` is set or nothing follows.
    """
    if not clean and start + size <= len(x):
        part = x[start : start + size]
    elif size == length:
        part = x[start : start + length]
    else:
        part = x.new_zeros(size, *x.shape[1:])
        part[:length] = x[start : start + length]
    return part[None].transpose(1, 2)


@torch.library.custom_op("s1flow::cudnn_packed", mutates_args=())
def cudnn_packed(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, bounds: torch.Tensor, scale: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention output [T, H, D] and log-sum-exp [H, T]; `bounds` int64 on the CPU."""
    edges = bounds.tolist()
    out = torch.empty_like(query)
    norms = query.new_empty(query.shape[1], len(query), dtype=torch.float32)
    for start, stop in zip(edges[:-1], edges[1:], strict=True):
        size = _rounded(stop - start)
        q, k, v = (_rows(x, start, stop - start, size, False) for x in (query, key, value))
        found = _forward(q, k, v, None, True, 0.0, True, False, scale=scale)
        out[start:stop] = found[0][0].transpose(0, 1)[: stop - start]
        norms[:, start:stop] = found[1].reshape(query.shape[1], size)[:, : stop - start]
    return out, norms


@cudnn_packed.register_fake
def _(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, bounds: torch.Tensor, scale: float
) -> tuple[torch.Tensor, torch.Tensor]:
    norms = query.new_empty(query.shape[1], query.shape[0], dtype=torch.float32)
    return torch.empty_like(query), norms


@torch.library.custom_op("s1flow::cudnn_packed_backward", mutates_args=())
def cudnn_packed_backward(
    grad: torch.Tensor,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    out: torch.Tensor,
    norms: torch.Tensor,
    bounds: torch.Tensor,
    scale: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Gradients of query, key and value."""
    edges = bounds.tolist()
    grads = [torch.empty_like(x) for x in (query, key, value)]
    nothing = torch.empty(0, dtype=torch.int64, device=query.device)
    for start, stop in zip(edges[:-1], edges[1:], strict=True):
        length = stop - start
        size = _rounded(length)
        q, k, v, o = (_rows(x, start, length, size, False) for x in (query, key, value, out))
        lse = norms.new_zeros(1, len(norms), size, 1)
        lse[0, :, :length, 0] = norms[:, start:stop]
        # Rows past the end get a large normaliser, so that their weights are zero and not NaN.
        lse[0, :, length:] = 1e4
        found = _backward(
            _rows(grad, start, length, size, True),
            *(q, k, v, o, lse, nothing, nothing, None, None, None),
            *(size, size, 0.0, True),
            scale=scale,
        )
        for target, part in zip(grads, found, strict=True):
            target[start:stop] = part[0].transpose(0, 1)[:length]
    return grads[0], grads[1], grads[2]


@cudnn_packed_backward.register_fake
def _(
    grad: torch.Tensor,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    *_: Any,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return torch.empty_like(query), torch.empty_like(key), torch.empty_like(value)


def _setup(ctx: Any, inputs: tuple[Any, ...], output: tuple[torch.Tensor, ...]) -> None:
    query, key, value, bounds, scale = inputs
    ctx.save_for_backward(query, key, value, *output, bounds)
    ctx.scale = scale


def _grad(ctx: Any, grad: torch.Tensor, _: Any) -> tuple[torch.Tensor | None, ...]:
    query, key, value, out, norms, bounds = ctx.saved_tensors
    grads = cudnn_packed_backward(
        grad.contiguous(), query, key, value, out, norms, bounds, ctx.scale
    )
    return *grads, None, None


cudnn_packed.register_autograd(_grad, setup_context=_setup)


def build_plans(
    lengths: Iterable[int],
    heads: tuple[int, int, int],
    device: torch.device,
    dtype: torch.dtype,
    recomputed: bool,
) -> int:
    """Build cuDNN's plans for samples of these lengths; returns the number of distinct shapes.

    heads       query heads, key-value heads, head dimension
    recomputed  whether forward passes also run inside backward passes
    Otherwise each is built at first sight, 0.15 s during which all other GPUs wait.
    """
    queries, keys, width = heads
    sizes = sorted({_rounded(int(length)) for length in lengths})
    for size in sizes:
        q, k, v = (
            torch.zeros(size, n, width, device=device, dtype=dtype, requires_grad=True)
            for n in (queries, keys, keys)
        )
        inputs = (q, k, v, torch.tensor([0, size]), width**-0.5)
        if recomputed:
            out, _ = checkpoint(cudnn_packed, *inputs, use_reentrant=False)
        else:
            out, _ = cudnn_packed(*inputs)
        out.backward(torch.zeros_like(out))
    return len(sizes)
