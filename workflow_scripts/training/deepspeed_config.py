"""The DeepSpeed JSON of a run: generated from the settings, then overridden by the user's keys."""

from copy import deepcopy
from typing import Any

from workflow_scripts.common.errors import ConfigError
from workflow_scripts.training.recipe import TrainSettings


def deepspeed_config(
    settings: TrainSettings, device: str, compiled: bool = False
) -> dict[str, Any]:
    """DeepSpeed's configuration; `compiled` says whether the model's layers will be.

    Gradients accumulate in float32 and torch's AdamW updates float32 master weights. The number of
    micro-batches per step varies, so the loop marks the last one itself and DeepSpeed's own count
    stays 1. `settings.deepspeed` is merged in last and wins.
    """
    recipe = settings.recipe
    offloaded = "offload_optimizer" in settings.deepspeed.get("zero_optimization", {})
    adam: dict[str, Any] = {
        "lr": recipe.learning_rate,
        "betas": list(recipe.adam_betas),
        "eps": recipe.adam_eps,
        "weight_decay": recipe.weight_decay,
    }
    if not offloaded:  # an offloaded optimiser is DeepSpeed's own CPU Adam
        # fused: one pass and no temporary copies; the default needs 12 GB more for 3B parameters
        adam |= {"torch_adam": True, "fused": True}
    generated = {
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": 1,
        "gradient_clipping": recipe.max_grad_norm,
        "optimizer": {"type": "AdamW", "params": adam},
        "zero_allow_untested_optimizer": True,
        "zero_optimization": {"stage": 1},
        "data_types": {"grad_accum_dtype": "fp32"},
        # its default is the model's format: float32 sums would be rounded to bf16 between GPUs
        "communication_data_type": "fp32",
        "steps_per_print": 10**9,
        "timers": {"throughput": {"enabled": False}},  # it would wait for the GPU at every pass
    }
    if settings.precision == "bf16":
        generated["bf16"] = {
            "enabled": True,
            "immediate_grad_update": True,
            "check_grad_overflow": False,  # the loop checks loss and gradient norm itself
        }
    merged = _merge(generated, settings.deepspeed)
    if zero_stage(merged) == 3 and compiled:
        # DeepSpeed's linear function tells parameters apart by a number: a graph for every layer.
        # It exists to keep no transposed weights, which compiled layers do not keep anyway.
        merged["zero_optimization"].setdefault("memory_efficient_linear", False)
    _check(merged, settings)
    return merged


def zero_stage(config: dict[str, Any]) -> int:
    """ZeRO stage of a DeepSpeed configuration."""
    return int(config.get("zero_optimization", {}).get("stage", 0))


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = deepcopy(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else deepcopy(value)
    return merged


def _check(config: dict[str, Any], settings: TrainSettings) -> None:
    if config["gradient_accumulation_steps"] != 1 or config["train_micro_batch_size_per_gpu"] != 1:
        raise ConfigError(
            "training.deepspeed: leave gradient_accumulation_steps and "
            "train_micro_batch_size_per_gpu at 1; recipe.batch_size and micro_batch_tokens decide"
        )
    for key in ("scheduler", "fp16"):
        if config.get(key):
            raise ConfigError(
                f"training.deepspeed.{key}: not supported; the recipe sets the learning rate and "
                "training.precision the number format"
            )
    fp32_sums = config.get("data_types", {}).get("grad_accum_dtype") == "fp32"
    if zero_stage(config) == 0 and settings.precision == "bf16" and fp32_sums:
        raise ConfigError(
            "training.deepspeed: ZeRO stage 0 cannot accumulate bf16 gradients in fp32; "
            "use stage 1 (on one GPU it shards nothing and costs nothing)"
        )
