"""Settings of traces that are made here, and what the rules that make them get."""

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from workflow_scripts.common.forms import FormName
from workflow_scripts.common.settings.base import (
    Count,
    Limit,
    Name,
    NotNegative,
    PartOf,
    Share,
    Text,
    Texts,
    Whole,
)
from workflow_scripts.common.settings.inference import Context, Engine, ModelSampling

Answers = Literal["right", "wrong", "mixed", "any"]
Choice = Literal["shortest", "longest", "limo", "random"]


@dataclass(frozen=True)
class Teacher:
    """A model that writes traces: one of the study, or another.

    model        name under `models`, trained there or not; the student's base distils itself
    path         of another: hub id or local folder
    revision     branch, tag or commit on the hub
    url          its own server; several: shared evenly
    served_name  its name on that server
    engine       keys in place of those of inference.engine, such as {kind: chat}
    method       natural: thinking is opened for it, as for the study's models; native: its own chat
                 form, which a chat endpoint needs
    instruction  of native, behind the question; default: to box the final answer
    form         how it marks its thinking, as of `models`; default: the study's `delimiters`
    system_prompt  in place of the study's
    chat_template_kwargs  arguments of its chat template
    sampling     how its ids are drawn, beside `temperature`
    context      in place of inference.context
    """

    RULES: ClassVar[dict[str, Any]] = {"oneOf": [{"required": ["model"]}, {"required": ["path"]}]}

    model: Name | None = None
    path: Text | None = None
    revision: str | None = None
    url: Text | Texts | None = None
    served_name: Text | None = None
    engine: Annotated[dict[str, Any], PartOf(Engine)] | None = None
    method: Literal["natural", "native"] = "natural"
    instruction: Text | None = None
    form: FormName | None = None
    system_prompt: str | None = None
    chat_template_kwargs: dict[str, Any] | None = None
    sampling: ModelSampling | None = None
    context: Context | None = None


@dataclass(frozen=True)
class TracePool:
    """Rows that are chosen of the teachers' draws.

    answers       right, wrong, or mixed: some questions with right draws, the others with wrong
                  ones; any: whatever the verdict
    choose        which of a question's draws: the shortest, the longest, the one with the highest
                  LIMO score, or a random one
    per_question  rows of a question, at most
    teachers      whose draws; default: all
    contested     only questions with right and wrong draws, so that pools of either kind hold the
                  same questions
    wrong_share   of mixed: the share of questions with wrong draws
    size          questions, drawn by the seed; all: every one that has such draws
    """

    answers: Answers = "right"
    choose: Choice = "shortest"
    per_question: Count = 1
    teachers: Annotated[tuple[Name, ...], Limit(minItems=1)] | None = None
    contested: bool = False
    wrong_share: Share = 0.5
    size: Literal["all"] | Count = "all"


@dataclass(frozen=True)
class Traces:
    """Traces that are made here: teachers answer questions of the pool, our grader judges them.

    teachers     by name
    pools        by name: what training sets are drawn from (`traces` of a set under `sets`)
    questions    pool: what is left after decontamination; hard: after the difficulty filter; or the
                 name of a training set
    sample       questions that are asked, drawn by the seed
    samples      draws of every teacher for a question; more than one needs a temperature
    temperature  0 is greedy
    """

    teachers: dict[Name, Teacher]
    pools: dict[Name, TracePool]
    questions: Text = "pool"
    sample: Literal["all"] | Count = "all"
    samples: Count = 1
    temperature: NotNegative = 0.0


# ---------------------------------------------------------------------- `--settings` of the rules


@dataclass(frozen=True)
class MakeTracesSettings(TracePool):
    """One pool of traces; its teachers are in the order of their files.

    name  of the pool
    """

    name: Name = field(kw_only=True)
    seed: Whole = field(kw_only=True)
