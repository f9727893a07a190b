"""The model as DeepSpeed trains it: packed samples in, the loss of the micro-batch out."""

from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from workflow_scripts.common.errors import InputError, UserError
from workflow_scripts.training.attention import NAME, Backend, install
from workflow_scripts.training.loss import SLAB_ROWS, head_loss
from workflow_scripts.training.micro_batch import Packed
from workflow_scripts.training.partitioned import load_partitioned

UNSUPPORTED = ("final_logit_softcapping", "logits_scaling", "logit_scale", "num_local_experts")


class PackedModel(nn.Module):
    """A causal language model whose forward pass is the training loss of packed samples.

    `recompute` is the number of layers, from the first, whose activations are recomputed in the
    backward pass; it may differ from one micro-batch to the next and does not change results.
    """

    def __init__(self, causal_lm: nn.Module, backend: Backend, slab_rows: int = SLAB_ROWS) -> None:
        super().__init__()
        self.causal_lm, self.backend, self.slab_rows = causal_lm, backend, slab_rows
        self.recompute = 0
        for index, layer in enumerate(self.layers):
            _make_recomputable(self, layer, index)

    @property
    def layers(self) -> nn.ModuleList:
        """Decoder layers."""
        return self.causal_lm.get_decoder().layers

    def forward(self, batch: Packed) -> torch.Tensor:
        """sum of weight * negative log-likelihood over the pack's predicted tokens, float32."""
        rows = self.hidden(batch).index_select(0, batch.rows)
        matrix = self.causal_lm.get_output_embeddings().weight
        return head_loss(rows, matrix, batch.targets, batch.weights, self.slab_rows)

    def hidden(self, batch: Packed) -> torch.Tensor:
        """Final hidden states [T, d] of all tokens of a pack."""
        decoder = self.causal_lm.get_decoder()
        out = decoder(
            input_ids=batch.ids[None],
            position_ids=batch.positions[None],
            use_cache=False,
            **self.backend.arguments(batch),
        )
        return out.last_hidden_state[0]


def _make_recomputable(model: PackedModel, layer: nn.Module, index: int) -> None:
    plain = layer.forward

    def forward(*args: Any, **kwargs: Any) -> Any:
        inner = getattr(layer, "compiled_forward", plain)
        if index < model.recompute and torch.is_grad_enabled():
            return checkpoint(inner, *args, use_reentrant=False, preserve_rng_state=False, **kwargs)
        return inner(*args, **kwargs)

    layer.forward = forward


def load(
    folder: Path,
    backend: Backend,
    dtype: torch.dtype,
    slab_rows: int,
    partitioned: dict[str, Any] | None = None,
) -> PackedModel:
    """The model of a folder in `dtype`, from safetensors only, ready to train.

    partitioned  DeepSpeed JSON of a ZeRO-3 run: no process ever holds the whole model
    InputError or UserError when it does not load or computes its logits in a way that the packed
    loss does not.
    """
    from transformers import AutoModelForCausalLM

    install(backend)
    try:
        if partitioned is not None:
            causal_lm = load_partitioned(folder, dtype, partitioned)
        else:
            causal_lm = AutoModelForCausalLM.from_pretrained(
                str(folder),
                dtype=dtype,
                attn_implementation=NAME,
                use_safetensors=True,
                trust_remote_code=False,
            )
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise InputError(f"{folder}: the model does not load ({error})") from error
    return wrap(causal_lm, backend, slab_rows)


def wrap(causal_lm: nn.Module, backend: Backend, slab_rows: int = SLAB_ROWS) -> PackedModel:
    """`PackedModel` around a loaded model, after checking that its loss can be packed."""
    config, head = causal_lm.config, causal_lm.get_output_embeddings()
    odd = [key for key in UNSUPPORTED if getattr(config, key, None) not in (None, 1, 1.0)]
    if odd or head is None or getattr(head, "bias", None) is not None:
        raise UserError(
            f"{config.architectures}: packed training does not support "
            f"{', '.join(odd) or 'an output bias'}; use a dense Qwen- or Llama-like model"
        )
    if not getattr(causal_lm, "_supports_attention_backend", False):
        raise UserError(
            f"{config.architectures}: this architecture has no exchangeable attention in "
            "transformers; use a dense Qwen- or Llama-like model"
        )
    return PackedModel(causal_lm.train(), backend, slab_rows)
