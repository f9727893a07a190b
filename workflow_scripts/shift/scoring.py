"""What models predict along given texts: ranks, log-probabilities and KL, a slab of rows at a time.

Needs torch, transformers and numpy alone. Texts of one forward pass are padded on the right: under
causal attention no token sees what stands behind it, so no mask is built and nothing is rounded.
Full logits of a 5,000-token text over 152,000 words are 3 GB in float32 for each model; here only a
slab of rows has them at a time.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

BATCH_TOKENS = 16_384  # of a forward pass, padding included
SLAB_VALUES = {"cuda": 2**27, "cpu": 2**22}  # float32 logits of one model at a time
STATE_TOKENS = 4096  # the same where the states of all layers are kept
NULL_CHUNK = 2048  # tokens of a forward pass where the base reads a text a second time

Arrays = dict[str, np.ndarray]
OWN = ("logprob", "rank", "entropy", "top")  # of one model
BOTH = ("kl", "reverse_kl")  # of two


@dataclass(frozen=True)
class Text:
    """Ids of prompt and response, and the places of those that the model wrote.

    ids     int [T]
    places  int [R], ascending, at least 1: id p is predicted from the ids before it
    end     which of the places, counted from 0, is where thinking ended; -1: none
    ends    ids that end thinking. Which of them the author wrote is not stored; at that place each
            model is asked for the one that it finds likeliest
    """

    ids: np.ndarray
    places: np.ndarray
    end: int = -1
    ends: tuple[int, ...] = ()

    @property
    def targets(self) -> np.ndarray:
        """The written ids [R]."""
        return self.ids[self.places]


@dataclass(frozen=True)
class Reader:
    """A model that reads texts.

    size  ids that its tokenizer knows; rows of the output matrix above are padding, and no engine
          ever draws them
    """

    causal_lm: Any
    size: int

    @property
    def device(self) -> torch.device:
        """Where its weights lie."""
        return next(self.causal_lm.parameters()).device

    @torch.inference_mode()
    def rows(self, texts: Sequence[Text], chunk: int | None = None) -> list[torch.Tensor]:
        """Of each text, the final hidden states [R, d] from which its written ids are predicted.

        chunk  tokens of a forward pass, behind a cache; default: whole texts
        """
        ids = [text.ids for text in texts]
        states = torch.cat([out.last_hidden_state for out in self._passes(ids, chunk)], dim=1)
        before = [torch.from_numpy(text.places - 1).to(self.device) for text in texts]
        return [states[i].index_select(0, at) for i, at in enumerate(before)]

    def _passes(
        self, rows: Sequence[np.ndarray], chunk: int | None, **asked: bool
    ) -> Iterator[Any]:
        """The decoder's outputs for texts padded to one length, chunk after chunk."""
        ids = torch.from_numpy(padded(rows)).to(self.device)
        decoder, cache, step = self.causal_lm.get_decoder(), None, chunk or ids.shape[1]
        for start in range(0, ids.shape[1], step):
            part = ids[:, start : start + step]
            out = decoder(
                input_ids=part, past_key_values=cache, use_cache=step < ids.shape[1], **asked
            )
            cache = out.past_key_values
            yield out

    @torch.inference_mode()
    def logits(self, rows: torch.Tensor) -> torch.Tensor:
        """Logits [R, size] in float32; products of bf16 numbers are summed and kept in float32.

        In bf16 the logits of likely words would be 0.06 to 0.13 apart or equal, and ranks with
        them.
        """
        head = self.causal_lm.get_output_embeddings()
        matrix, bias = head.weight[: self.size], getattr(head, "bias", None)
        if rows.is_cuda and rows.dtype != torch.float32:
            found = torch.mm(rows, matrix.t(), out_dtype=torch.float32)
        else:
            found = rows.float() @ matrix.t().float()
        if bias is not None:
            found += bias[: self.size].float()
        return self._bent(found)

    def _bent(self, logits: torch.Tensor) -> torch.Tensor:
        """What an architecture does to its logits: Granite and Cohere scale, Gemma caps them."""
        config = self.causal_lm.config
        config = config.get_text_config() if hasattr(config, "get_text_config") else config
        if divisor := getattr(config, "logits_scaling", None):
            logits /= divisor
        if factor := getattr(config, "logit_scale", None):
            logits *= factor
        if cap := getattr(config, "final_logit_softcapping", None):
            logits = torch.tanh(logits / cap) * cap
        return logits

    @torch.inference_mode()
    def head_gap(self, ids: Sequence[int]) -> float:
        """Relative difference between our logits and the model's own behind a few ids."""
        given = torch.tensor([list(ids)], device=self.device)
        theirs = self.causal_lm(input_ids=given, use_cache=False).logits[0, :, : self.size].float()
        rows = self.causal_lm.get_decoder()(input_ids=given, use_cache=False).last_hidden_state[0]
        return float((self.logits(rows) - theirs).norm() / theirs.norm().clamp_min(1e-30))

    @torch.inference_mode()
    def states(self, prompts: Sequence[Sequence[int]], chunk: int | None = None) -> np.ndarray:
        """Hidden states behind each layer at the last id of each prompt, float32 [N, layers, d].

        chunk  as of `rows`
        """
        found: dict[int, np.ndarray] = {}
        for batch in batches([len(ids) for ids in prompts], STATE_TOKENS):
            rows = [np.array(prompts[i], dtype=np.int64) for i in batch]
            last = torch.tensor([len(row) - 1 for row in rows], device=self.device)
            every = torch.arange(len(rows), device=self.device)
            start, kept = 0, None
            for out in self._passes(rows, chunk, output_hidden_states=True):
                layers = torch.stack(out.hidden_states[1:])  # the first are embeddings
                width = layers.shape[2]
                at = (last - start).clamp(0, width - 1)
                here = (last >= start) & (last < start + width)
                states = layers[:, every, at]
                kept = states if kept is None else torch.where(here[:, None], states, kept)
                start += width
            assert kept is not None
            whole = kept.float().cpu().numpy()
            found |= {number: whole[:, i] for i, number in enumerate(batch)}
        return np.stack([found[i] for i in range(len(prompts))])


def load(folder: str, device: str, dtype: str) -> Any:
    """The causal language model of a folder, from safetensors only, ready to read.

    dtype  "bfloat16", "float32", ... or "auto"
    """
    from transformers import AutoModelForCausalLM

    found: Any = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=dtype if dtype == "auto" else getattr(torch, dtype),
        use_safetensors=True,
        trust_remote_code=False,
    )
    return found.to(device).eval()


def padded(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Ids of several texts as int64 [B, longest], zeros behind the shorter ones."""
    found = np.zeros((len(rows), max(map(len, rows))), dtype=np.int64)
    for place, row in zip(found, rows, strict=True):
        place[: len(row)] = row
    return found


def batches(lengths: Sequence[int], batch_tokens: int = BATCH_TOKENS) -> Iterator[list[int]]:
    """Texts by number, longest first, as many together as fit with their padding; at least one."""
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    batch: list[int] = []
    for number in order:
        if batch and (len(batch) + 1) * lengths[batch[0]] > batch_tokens:
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch


@torch.inference_mode()
def compared(
    model: Reader,
    base: Reader,
    rows: torch.Tensor,
    base_rows: torch.Tensor,
    text: Text,
    slab: int | None = None,
) -> Arrays:
    """What two models of one vocabulary predict at the same places; arrays of float32 or int32 [R].

    kl, reverse_kl  KL(model || base) and KL(base || model), nats, over the whole vocabulary
    logprob, rank, entropy, top  of the model: of the written id, its rank from 1 (ids of equal
                    logit share the better one), of the whole prediction, and the likeliest id
    base_...        the same of the base
    rows, base_rows  final hidden states [R, d] of the text
    slab            rows whose logits are held at a time
    """
    parts = []
    for part in _slabs(text, slab or slab_rows(rows.device.type, model.size)):
        one = model.logits(rows[part])
        two = base.logits(base_rows[part]).to(rows.device)
        parts.append(_pair(one, two, _goal(one, text, part), _goal(two, text, part)))
    return _joined(parts, (*BOTH, *OWN, *(f"base_{name}" for name in OWN)))


@torch.inference_mode()
def judged(reader: Reader, rows: torch.Tensor, text: Text) -> Arrays:
    """What one model predicts: `logprob`, `rank`, `entropy` and `top` of `compared`."""
    parts = []
    for part in _slabs(text, slab_rows(rows.device.type, reader.size)):
        logits = reader.logits(rows[part])
        parts.append(_own(logits, _goal(logits, text, part))[0])
    return _joined(parts, OWN)


def slab_rows(device: str, size: int) -> int:
    """Rows whose logits are held at a time."""
    return max(1, SLAB_VALUES.get(device, SLAB_VALUES["cpu"]) // size)


def _slabs(text: Text, step: int) -> Iterator[slice]:
    for start in range(0, len(text.places), step):
        yield slice(start, start + step)


def _goal(logits: torch.Tensor, text: Text, part: slice) -> torch.Tensor:
    """Ids [R] whose rank is asked: the written ones, and of the ends of thinking the likeliest."""
    goal = torch.from_numpy(text.targets[part].astype(np.int64)).to(logits.device)
    row = text.end - part.start
    if text.ends and 0 <= row < len(goal) and text.end >= 0:
        ends = torch.tensor(text.ends, device=logits.device)
        goal[row] = ends[logits[row, ends].argmax()]
    return goal


def _own(
    logits: torch.Tensor, goal: torch.Tensor
) -> tuple[dict[str, torch.Tensor], torch.Tensor, torch.Tensor]:
    """Fields of OWN, and the log-probabilities and probabilities that they come from."""
    rank = 1 + (logits > logits.gather(1, goal[:, None])).sum(-1)
    top = logits.argmax(-1)
    logs = torch.log_softmax(logits, -1)
    shares = logs.exp()
    found = (logs.gather(1, goal[:, None])[:, 0], rank, -torch.linalg.vecdot(shares, logs), top)
    return dict(zip(OWN, found, strict=True)), logs, shares


def _pair(
    one: torch.Tensor, two: torch.Tensor, goal: torch.Tensor, base_goal: torch.Tensor
) -> dict[str, torch.Tensor]:
    own, logs, shares = _own(one, goal)
    others, base_logs, base_shares = _own(two, base_goal)
    ratio = logs.sub_(base_logs)
    kl = torch.linalg.vecdot(shares, ratio)
    reverse = -torch.linalg.vecdot(base_shares, ratio)
    found = {"kl": kl.clamp_min(0), "reverse_kl": reverse.clamp_min(0), **own}
    return found | {f"base_{name}": value for name, value in others.items()}


def _joined(parts: list[dict[str, torch.Tensor]], names: Sequence[str]) -> Arrays:
    """Parts laid end to end on the host, whole numbers as int32."""
    if not parts:
        return {name: np.empty(0, _kind(name)) for name in names}
    whole = {name: torch.cat([part[name] for part in parts]) for name in names}
    return {name: value.cpu().numpy().astype(_kind(name)) for name, value in whole.items()}


def _kind(name: str) -> type:
    return np.int32 if name.removeprefix("base_") in ("rank", "top") else np.float32


def plain_pass(reader: Reader, texts: Sequence[Text]) -> None:
    """A plain forward pass of the same batch with all logits: what everything is measured against.

    In the model's own format, as `transformers` computes them, for at most 2**31 logits at a time.
    """
    ids = torch.from_numpy(padded([text.ids for text in texts])).to(reader.device)
    most = max(1, math.floor(2**31 / (ids.shape[1] * reader.size)))
    with torch.inference_mode():
        for start in range(0, len(ids), most):
            reader.causal_lm(input_ids=ids[start : start + most], use_cache=False)
