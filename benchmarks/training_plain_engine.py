"""The training step without DeepSpeed, behind the same calls: the difference is DeepSpeed's cost.

Same numerics: bf16 weights, float32 master weights, gradient sums and AdamW states.
"""

from typing import Any

import torch
from torch import nn

from workflow_scripts.training.engine import parameter_groups
from workflow_scripts.training.micro_batch import Packed


class PlainEngine:
    """Stand-in for `workflow_scripts.training.engine.Engine` on one device."""

    stage = 0

    def __init__(self, model: nn.Module, recipe: Any) -> None:
        self.module, self.clip = model, recipe.max_grad_norm
        groups = parameter_groups(model, recipe.weight_decay)
        self.pairs: list[tuple[nn.Parameter, torch.Tensor]] = []
        masters = []
        for group in groups:
            copies = [p.detach().float().clone().requires_grad_() for p in group["params"]]
            for p, master in zip(group["params"], copies, strict=True):
                master.grad = torch.zeros_like(master)
                self.pairs.append((p, master))
                p.register_post_accumulate_grad_hook(_adder(master))
            masters.append({**group, "params": copies})
        self.adam = torch.optim.AdamW(
            masters,
            lr=recipe.learning_rate,
            betas=recipe.adam_betas,
            eps=recipe.adam_eps,
            fused=model.layers[0].input_layernorm.weight.is_cuda,
        )

    def set_learning_rate(self, rate: float) -> None:
        """Learning rate of the next step."""
        for group in self.adam.param_groups:
            group["lr"] = rate

    def accumulate(self, batch: Packed, last: bool) -> torch.Tensor:
        """Forward and backward of one micro-batch."""
        loss = self.module(batch)
        loss.backward()
        return loss.detach()

    @torch.no_grad()
    def step(self) -> float:
        """Clip, update, clear; the gradient norm before clipping."""
        masters = [master for _, master in self.pairs]
        norm = nn.utils.clip_grad_norm_(masters, self.clip)
        self.adam.step()
        torch._foreach_copy_([p for p, _ in self.pairs], masters)
        torch._foreach_zero_([master.grad for master in masters])
        return float(norm)

    def gathered_bytes(self) -> float:
        """Nothing is gathered on one device."""
        return 0.0

    def free_bytes(self, device: torch.device) -> float:
        """Device memory left for activations, once Adam's states are there."""
        torch.cuda.empty_cache()
        free, _ = torch.cuda.mem_get_info(device)
        return float(free - 8 * sum(p.numel() for p, _ in self.pairs))


def _adder(master: torch.Tensor) -> Any:
    def add(parameter: nn.Parameter) -> None:
        master.grad.add_(parameter.grad)
        parameter.grad = None

    return add
