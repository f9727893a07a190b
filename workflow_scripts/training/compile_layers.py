"""Compile the decoder layer once and let all layers share the code.

A compiled layer fuses norms, rotary embedding, activation and residuals into a few kernels and
keeps less for the backward pass. The number of tokens is dynamic: packs of any size use one graph.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch._functorch.config

from workflow_scripts.common.errors import ConfigError
from workflow_scripts.training.packed_model import PackedModel

COMPILABLE = ("varlen", "flash", "cudnn")  # their arguments are tensors, so packs share a graph

# Keep inputs of matrix products and of attention only: norms and the gated product are cheap to
# compute again and would add half to what a token holds until the backward pass. Operations outside
# the compiler's list of cheap ones (products, attention) are still never computed twice.
RECOMPUTED = (
    "ban_recompute_used_far_apart",
    "ban_recompute_long_fusible_chains",
    "ban_recompute_materialized_backward",
    "ban_recompute_reductions",
)

# Ranges of pack lengths and kinds of input (views under ZeRO-3) get a graph each. Past the limit, 8
# by default, torch goes on uncompiled, slower and with more memory than planned.
GRAPHS = 64


def should_compile(wanted: str, device: str, backend: str) -> bool:
    """Whether to compile: on GPUs, where it pays; ConfigError if `on` cannot be.

    Under ZeRO-3 too: a layer's weights are gathered as one (see engine.py), so nothing of DeepSpeed
    runs inside the compiled code, and what it keeps for the backward pass are the parameters
    themselves, which are released and gathered again in between.
    """
    possible = device == "cuda" and backend in COMPILABLE
    if wanted == "on" and not possible:
        raise ConfigError(
            f"training.compile: on needs a GPU and attention {', '.join(COMPILABLE)} "
            f"(here: {device}, {backend}); set it to auto"
        )
    return possible and wanted != "off"


def compile_layers(model: PackedModel) -> None:
    """Replace every decoder layer's forward by one shared compiled function."""
    for name in RECOMPUTED:
        setattr(torch._functorch.config, name, False)
    torch._dynamo.config.recompile_limit = GRAPHS
    kinds = {type(layer) for layer in model.layers}
    shared = {kind: _with_dynamic_tokens(torch.compile(kind.forward)) for kind in kinds}
    for layer in model.layers:
        layer.compiled_forward = partial(shared[type(layer)], layer)


def _with_dynamic_tokens(compiled: Callable[..., Any]) -> Callable[..., Any]:
    """Mark the token dimension as varying, so that the first graph already serves all packs."""

    def forward(layer: torch.nn.Module, hidden_states: torch.Tensor, **facts: Any) -> Any:
        torch._dynamo.maybe_mark_dynamic(hidden_states, 1)
        for value in (*facts.values(), *(facts.get("position_embeddings") or ())):
            if isinstance(value, torch.Tensor):
                torch._dynamo.maybe_mark_dynamic(value, 1 if value.dim() > 1 else 0)
        return compiled(layer, hidden_states, **facts)

    return forward
