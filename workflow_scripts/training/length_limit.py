"""Samples longer than the model or the config allow: refused or dropped, never cut."""

from workflow_scripts.common.errors import ConfigError, InputError
from workflow_scripts.training.rendering import Rendered

REFUSE, DROP = "refuse", "drop"


def apply_limit(
    samples: list[Rendered], max_sample_tokens: int, context: int | None, too_long: str
) -> tuple[list[Rendered], list[Rendered]]:
    """(kept, dropped) under the smaller of `max_sample_tokens` and the model's context.

    With `refuse`, InputError lists every sample that is too long.
    """
    if too_long not in (REFUSE, DROP):
        raise ConfigError(f"training.too_long: {too_long!r}; use {REFUSE} or {DROP}")
    limit = min(max_sample_tokens, context or max_sample_tokens)
    long = [sample for sample in samples if len(sample.ids) > limit]
    if long and too_long == REFUSE:
        listed = ", ".join(f"{sample.row_id} ({len(sample.ids):,})" for sample in long)
        raise InputError(
            f"{len(long)} of {len(samples)} samples are longer than {limit:,} tokens "
            f"(training.max_sample_tokens {max_sample_tokens:,}, context {context}): {listed}. "
            "Raise training.max_sample_tokens, or set training.too_long: drop"
        )
    kept = [sample for sample in samples if len(sample.ids) <= limit]
    if not kept:
        raise InputError(f"no sample is within {limit:,} tokens; nothing is left to train on")
    return kept, long
