"""Manifests: what a long job did and what it cost. Written and read by the same class."""

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from workflow_scripts.common.records import read_record

SERVED_MODEL = re.compile(r"(?<=^server )(.*?) of .* \(root .*\)(?=, )")
VLLM, SERVER, CHAT, SCRIPTED = ENGINES = ("vllm", "server", "chat", "scripted")
IMPORTED = "imported"  # stands as the kind of engine of outputs that another harness made


@dataclass(frozen=True)
class Throughput:
    """Work and rates of a training run.

    tokens, step_seconds    of all steps
    tokens_per_second, mfu  of the steps after the first few, which also compile; `mfu` is a share
    flops                   of the whole run, by `mfu_convention`
    peak_flops              FLOP/s of one device, and where that number is from
    device_hours            seconds of all steps times processes, in hours
    """

    tokens: int
    step_seconds: float
    tokens_per_second: float
    flops: float
    mfu: float
    mfu_convention: str
    peak_flops: float
    peak_source: str
    peak_memory_mb: float
    gpus: int
    device_hours: float


@dataclass(frozen=True)
class LossSummary:
    """First and last loss, and the mean of every epoch."""

    first: float
    last: float
    epoch_means: list[float]


@dataclass(frozen=True)
class Movement:
    """Norm of the change of each tensor: smallest, median, largest, and all of them by name."""

    tensors: int
    smallest: float
    median: float
    largest: float
    by_tensor: dict[str, float]


@dataclass(frozen=True)
class AttentionUsed:
    """The attention kernel of a run, and its error against float32 on this machine."""

    backend: str
    relative_error: float


@dataclass(frozen=True)
class JobSeconds:
    """Wall time of a training job by part."""

    load: float
    train: float
    save: float
    total: float


@dataclass(frozen=True)
class ModelForm:
    """How a model was asked, and where its thinking begins and ends.

    name        of its form; "delimiters" where the study's own stand
    reason      one sentence on why it is this one
    delimiters  as the config writes them
    spelled     ends that its tokenizer has no token for
    """

    name: str
    reason: str
    delimiters: dict[str, Any]
    spelled: list[str]
    system_prompt: str
    chat_template_kwargs: dict[str, Any]
    prefill: str


@dataclass(frozen=True)
class TrainingManifest:
    """A finished training run.

    digest, base_digest  of the trained weights and of those it started from
    compiled             whether decoder layers were
    weights_moved        since the base
    saved_logit_gap      relative difference between logits of the live and of the saved model
    resumed_at_step      steps that an earlier, interrupted run had done; null without one
    settings             see training/recipe.py
    deepspeed            the JSON that DeepSpeed was given
    versions             of the packages that decide the result
    form                 that its samples were rendered with; null in manifests of earlier versions
    """

    model: str
    digest: str
    base: str
    base_digest: str
    samples: int
    steps: int
    steps_per_epoch: int
    micro_batch_tokens: int
    compiled: bool
    throughput: Throughput
    loss: LossSummary
    weights_moved: Movement
    saved_logit_gap: float
    attention: AttentionUsed
    resumed_at_step: int | None
    seconds: JobSeconds
    settings: dict[str, Any]
    deepspeed: dict[str, Any]
    versions: dict[str, str]
    form: ModelForm | None = None

    def to_json(self) -> dict[str, Any]:
        """The object of the file."""
        return asdict(self)

    @classmethod
    def read(cls, path: Path) -> "TrainingManifest":
        """The manifest of rule train. InputError names a file of another version and the fix."""
        return read_record(
            path,
            cls,
            "delete it and run again, so that it is written anew (weights of an equal training run "
            "are not trained again)",
        )


@dataclass(frozen=True)
class DeviceEstimate:
    """What a training run will take on one kind of device; memory is that of each.

    pack_tokens, recomputed  of a forward pass, and the layers that the longest pack recomputes
    """

    name: str
    hours_low: float
    hours_high: float
    gpu_hours_low: float
    gpu_hours_high: float
    memory_gib: float
    of_gib: float
    pack_tokens: int
    recomputed: int
    fits: bool


@dataclass(frozen=True)
class TrainingEstimate:
    """What a training run will take, from its settings; sizes in GiB.

    tokens        of all epochs
    lengths_from  where the lengths of the samples are from
    mfu           lowest and highest share of the peak that the hours assume
    """

    model: str
    parameters: int
    layers: int
    samples: int
    steps: int
    tokens: int
    longest: int
    lengths_from: str
    flops: float
    gpus: int
    mfu: tuple[float, ...]
    devices: list[DeviceEstimate]
    host_gib: float
    checkpoint_gib: float
    weights_gib: float
    disk_gib: float
    free_gib: float

    def to_json(self) -> dict[str, Any]:
        """The object of the file."""
        return asdict(self)

    @classmethod
    def read(cls, path: Path) -> "TrainingEstimate":
        """The estimate of rule forecast_training. InputError as `TrainingManifest.read`."""
        return read_record(path, cls)


@dataclass(frozen=True)
class Run:
    """Tokens that an engine was seen to work on in one run.

    decoded    ids written, end tokens included
    prefilled  prompt ids computed; `cached` ones were found in the engine's cache
    lost       ids that were seen but not saved before a kill; known at the next start
    seconds    from the first request to the last output
    gpus, gpu_seconds  GPUs held, and their seconds; 0 on a CPU and in runs of older versions
    shard      that it was of, as "2-of-4"; "" for a run of the whole model
    gathered   how many times shards had been gathered with it; 0 for a run of the whole model
    """

    decoded: int
    prefilled: int
    cached: int
    requests: int
    lost: int
    seconds: float
    gpus: int = 0
    gpu_seconds: float = 0.0
    shard: str = ""
    gathered: int = 0


@dataclass(frozen=True)
class Tokens:
    """Sums over all runs on a store, and how much of it was decoded twice.

    kept          ids that the store holds, end tokens included
    wall_seconds  of the runs, where of shards that ran side by side the longest counts; 0 in
                  manifests of older versions
    """

    decoded: int
    prefilled: int
    cached: int
    requests: int
    seconds: float
    gpu_seconds: float
    lost: int
    kept: int
    decoded_twice: int
    decoded_twice_share: float
    runs: list[Run]
    wall_seconds: float = 0.0

    @property
    def wall(self) -> float:
        """Seconds on the clock."""
        return self.wall_seconds or self.seconds


@dataclass(frozen=True)
class PrefixCheck:
    """Prefixes of chains that were decoded again at the end of a run.

    ids                of all prefixes
    equal              prefixes that came out id for id; `rate` is their share
    mean_common_share  mean share of ids in front of the first difference
    """

    chains: int
    ids: int
    equal: int
    mean_common_share: float
    rate: float


@dataclass(frozen=True)
class GpuMemory:
    """MiB in use at the peak: by GPU index, and the largest of them."""

    per_gpu: dict[str, int]
    max: int


@dataclass(frozen=True)
class DatasetFacts:
    """Questions of a dataset, and answer tokens that its rows hold; equal rows count once."""

    questions: int
    answer_tokens: int


@dataclass(frozen=True)
class UnboundedFacts:
    """The numbers behind the unbounded budget, and the shares of chains that hit them or ended."""

    infinite_min: int
    infinite_max: int
    share_hit: float
    share_ended: float


@dataclass(frozen=True)
class EndedBefore:
    """The share of natural traces that had ended before a cap."""

    dataset: str
    budget: str
    share_ended: float


@dataclass(frozen=True)
class CellFacts:
    """Rows of one cell on one dataset: how they ended, what they share, tokens.

    natural, forced, context  rows by their end
    same_as_earlier           rows with the ids of an earlier cell
    """

    dataset: str
    method: str
    budget: str
    rows: int
    natural: int
    forced: int
    context: int
    looping: int
    same_as_earlier: int
    decoded_answers: int
    mean_thinking_tokens: float
    mean_answer_tokens: float
    answers_cut: int
    mean_continuations: float
    mean_tries: float


@dataclass(frozen=True)
class Estimate:
    """What a whole sweep will take. Tokens are ids to decode, hours are of all GPUs together.

    questions, probed  of the study, and those that were measured
    prefilled      prompt ids to compute, those in the engine's cache left out
    decode_rate    ids per second with as many sequences as the study runs side by side
    prefill_rate   prompt ids per second
    step_s         seconds per id of a lone sequence: the longest chain cannot be faster
    longest_chain  ids that one sequence decodes one after the other: thinking and its answer
    cache_gib      keys and values of as many sequences as run at once, prompts included
    host_gib       the probe's own peak, and the sweep's rows, which the manifest is made from
    """

    model: str
    questions: int
    probed: int
    tokens: int
    prefilled: int
    decode_rate: float
    prefill_rate: float
    step_s: float
    longest_chain: int
    wall_s: float
    gpu_hours: float
    weights_gib: float
    cache_gib: float
    host_gib: float
    disk_mib: float

    @classmethod
    def read(cls, path: Path) -> "Estimate":
        """The estimate of rule probe_model. InputError names a file of another version."""
        return read_record(
            path,
            cls,
            "delete it and run `snakemake estimate` again; what was probed is in the store",
        )


@dataclass(frozen=True)
class EngineManifest:
    """A finished generate job: what was decoded, on what, and what the chains look like.

    engine           fingerprint of what decided the ids besides the model
    kind             of the engine, one of ENGINES
    tensor_parallel  GPUs of one engine
    mode, mode_asked  the one that was used, and that of the config
    gpus             of the last run
    gpu_seconds      over all runs, each with the GPUs that it held
    engine_facts     what the engine says of itself; null where nothing had to be decoded
    peak_rss_mb      of the job's process; null like the two below where nothing was measured
    estimate         what `snakemake estimate` said before
    infinite         by dataset
    shards           jobs that the model's questions were split over
    form             how the model was asked; null in manifests of earlier versions
    """

    model: str
    digest: str
    engine: str
    kind: str
    tensor_parallel: int
    mode: str
    mode_asked: str
    gpus: int
    gpu_seconds: float
    settings_hash: str
    git_commit: str
    store: str
    store_bytes: int
    engine_facts: dict[str, Any] | None
    peak_rss_mb: int | None
    gpu_memory_mib: GpuMemory | None
    prefix_check: PrefixCheck | None
    estimate: Estimate | None
    tokens: Tokens
    datasets: dict[str, DatasetFacts]
    infinite: dict[str, UnboundedFacts]
    ended_before: list[EndedBefore]
    cells: list[CellFacts]
    shards: int = 1
    form: ModelForm | None = None

    @property
    def program(self) -> str:
        """The engine without what a server calls this one model."""
        return SERVED_MODEL.sub(r"\1", self.engine)

    @property
    def inexact(self) -> bool:
        """Whether token counts are of texts that were encoded here, not of ids that came."""
        return self.kind == CHAT

    @property
    def device_seconds(self) -> float | None:
        """Seconds times GPUs over all runs; on a CPU the seconds; None where unmeasured."""
        return self.gpu_seconds or self.tokens.seconds or None

    @property
    def seconds_per_token(self) -> float | None:
        """Device seconds per decoded token; None where unmeasured."""
        seconds, decoded = self.device_seconds, self.tokens.decoded
        return seconds / decoded if seconds is not None and decoded else None

    def to_json(self) -> dict[str, Any]:
        """The object of the file."""
        return asdict(self)

    @classmethod
    def read(cls, path: Path) -> "EngineManifest":
        """The manifest of rule generate. InputError names a file of another version and the fix."""
        return read_record(
            path,
            cls,
            "delete it and run again, so that it is written anew (what the store holds is not "
            "decoded again)",
        )
