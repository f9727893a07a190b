"""Settings of what training changed."""

from dataclasses import dataclass
from typing import Annotated, Literal

from workflow_scripts.common.settings.base import Count, Limit, Name, Texts

MARKERS = (
    "wait", "hmm", "but", "however", "alternatively", "maybe", "perhaps", "actually", "check",
    "double-check", "verify", "confirm",
)  # fmt: skip


@dataclass(frozen=True)
class Pair:
    """Two models whose texts and predictions are compared.

    model  that was changed
    base   that it was before
    """

    model: Name
    base: Name


@dataclass(frozen=True)
class Shift:
    """What training changed, measured on the stored ids of natural generations.

    measure     make it part of the report; without it, on request alone (target `shift`)
    questions   of each benchmark, in file order; all: every one
    compare     pairs of models; default: every trained model and its base
    null_texts  of each model and benchmark, that the base reads a second time, in other chunks:
                what rounding alone changes
    markers     words of second thoughts that are counted, with their endings -s, -ed, -ing
    """

    measure: bool = False
    questions: Literal["all"] | Count = "all"
    compare: Annotated[tuple[Pair, ...], Limit(minItems=1)] | None = None
    null_texts: Count = 8
    markers: Texts = MARKERS
