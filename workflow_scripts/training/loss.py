"""Weighted cross-entropy of a large vocabulary, a slab of rows at a time.

The full logits of a 20,000-token sample over 152,000 words are 12 GB in float32. Here a slab's
logits are made, turned into their own gradient, multiplied into the gradients of hidden states and
of the output matrix, and dropped, all in the forward pass: three matrix products per slab and no
recomputation. Slabs are wide enough (thousands of rows) that reading the matrix is a small part.
"""

from importlib.util import find_spec
from typing import Any

import torch

SLAB_ROWS = 2048


class _HeadLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,
        matrix: torch.Tensor,
        targets: torch.Tensor,
        weights: torch.Tensor,
        slab_rows: int,
    ) -> torch.Tensor:
        need_hidden, need_matrix = ctx.needs_input_grad[:2]
        total = torch.zeros((), dtype=torch.float32, device=hidden.device)
        grad_hidden = torch.empty_like(hidden) if need_hidden else None
        grad_matrix = torch.zeros_like(matrix, dtype=torch.float32) if need_matrix else None
        for start in range(0, len(targets), slab_rows):
            part = slice(start, start + slab_rows)
            rows, goal, weight = hidden[part], targets[part], weights[part]
            logits = rows @ matrix.t()
            total += _to_gradient(logits, goal, weight)
            if grad_hidden is not None:
                torch.mm(logits, matrix, out=grad_hidden[part])
            if grad_matrix is not None:
                _accumulate(grad_matrix, logits, rows)
        ctx.save_for_backward(grad_hidden, grad_matrix)
        ctx.dtype = matrix.dtype
        return total

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (scale,) = grads
        grad_hidden, grad_matrix = ctx.saved_tensors
        if grad_hidden is not None:
            grad_hidden = grad_hidden.mul_(scale.to(grad_hidden.dtype))
        if grad_matrix is not None:
            grad_matrix = grad_matrix.mul_(scale).to(ctx.dtype)
        return grad_hidden, grad_matrix, None, None, None


def _to_gradient(
    logits: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor
) -> torch.Tensor:
    """Weighted loss of a slab; `logits` becomes weight * (softmax - one-hot) in place."""
    if logits.is_cuda and find_spec("triton"):
        from workflow_scripts.training.head_kernel import logits_to_gradient

        return logits_to_gradient(logits, targets, weights)
    scores = logits.float()
    norm = torch.logsumexp(scores, dim=-1)
    hit = scores.gather(1, targets[:, None]).squeeze(1)
    loss = torch.dot(norm - hit, weights)
    scores.sub_(norm[:, None]).exp_().mul_(weights[:, None])
    scores.scatter_add_(1, targets[:, None], -weights[:, None])
    if scores.data_ptr() != logits.data_ptr():
        logits.copy_(scores)
    return loss


def _accumulate(total: torch.Tensor, left: torch.Tensor, right: torch.Tensor) -> None:
    """total += left.T @ right, with float32 sums."""
    if left.dtype == torch.float32:
        total.addmm_(left.t(), right)
    elif left.is_cuda:
        torch.addmm(total, left.t(), right, out_dtype=torch.float32, out=total)
    else:
        total.add_(left.t() @ right)


def head_loss(
    hidden: torch.Tensor,
    matrix: torch.Tensor,
    targets: torch.Tensor,
    weights: torch.Tensor,
    slab_rows: int = SLAB_ROWS,
) -> torch.Tensor:
    """sum_i weights[i] * -log softmax(hidden[i] @ matrix.T)[targets[i]], float32 scalar.

    hidden [R, d], matrix [V, d] of one dtype; targets int64 [R]; weights float32 [R]. Gradients
    flow to hidden and matrix; those of the matrix are summed in float32 over the slabs.
    """
    return _HeadLoss.apply(hidden, matrix, targets, weights, slab_rows)
