"""Loading a model that no single device holds: under ZeRO-3 every process keeps its part only."""

from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import nn

from workflow_scripts.common.errors import InputError, UserError
from workflow_scripts.training.attention import NAME
from workflow_scripts.training.launch import rank
from workflow_scripts.training.model_files import tensors, weight_files


def load_partitioned(folder: Path, dtype: torch.dtype, config: dict[str, Any]) -> nn.Module:
    """The model of a folder, every parameter split over all processes from the start.

    config  the DeepSpeed JSON of the run
    One tensor at a time is whole: rank 0 reads it and the others receive it. Every process must
    call this, after joining the process group. InputError when a tensor is missing or has another
    shape.
    """
    causal_lm = build_partitioned(folder, dtype, config)
    places = _places(folder, causal_lm)
    for name, parameter in causal_lm.named_parameters():
        _fill(parameter, name, places[name], dtype)
    return causal_lm


def build_partitioned(folder: Path, dtype: torch.dtype, config: dict[str, Any]) -> nn.Module:
    """The architecture of a folder (only config.json is read), partitioned, not yet filled."""
    import deepspeed
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.initialization import no_init_weights

    shape = AutoConfig.from_pretrained(str(folder), trust_remote_code=False)
    with deepspeed.zero.Init(config_dict_or_path=config), no_init_weights():
        causal_lm = AutoModelForCausalLM.from_config(
            shape, dtype=dtype, attn_implementation=NAME, trust_remote_code=False
        )
    causal_lm.tie_weights()
    _recompute_buffers(causal_lm)
    return causal_lm


def _recompute_buffers(causal_lm: nn.Module) -> None:
    """Put rotary frequencies back in float32.

    DeepSpeed rounds every tensor that is made inside `zero.Init` to the training format; in bf16 a
    frequency is off by up to 0.2 %, which is several radians at position 9,000.
    """
    for module in causal_lm.modules():
        names = [n for n, b in module.named_buffers(recurse=False) if b.is_floating_point()]
        for name in names:
            module._buffers[name] = torch.full_like(
                module._buffers[name], float("nan"), dtype=torch.float32
            )
        if names:
            causal_lm._init_weights(module)
        if any(module._buffers[name].isnan().any() for name in names):
            raise UserError(
                f"{type(module).__name__}: transformers does not say how to compute "
                f"{', '.join(names)}; train this architecture with ZeRO stage 2 or lower"
            )


def _places(folder: Path, causal_lm: nn.Module) -> dict[str, Path]:
    """The file that holds each parameter, after checking names and shapes."""
    held = {entry.name: entry for entry in tensors(weight_files(folder))}
    places = {}
    for name, parameter in causal_lm.named_parameters():
        entry, wanted = held.get(name), tuple(parameter.ds_shape)
        if entry is None or entry.shape != wanted:
            found = "is missing" if entry is None else f"has shape {list(entry.shape)}"
            raise InputError(
                f"{folder}: tensor {name} {found}, config.json asks for {list(wanted)}; weights "
                "and config belong to different models"
            )
        places[name] = folder / entry.file
    return places


def _fill(parameter: nn.Parameter, name: str, path: Path, dtype: torch.dtype) -> None:
    import deepspeed

    with (
        torch.no_grad(),
        deepspeed.zero.GatheredParameters([parameter], modifier_rank=0),
    ):
        if rank() == 0:
            with safe_open(path, "pt") as file:
                parameter.copy_(file.get_tensor(name).to(dtype))
