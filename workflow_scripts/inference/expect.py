"""How long a segment will probably be: long ones are started first, so that none is left alone."""

from workflow_scripts.inference.plan import ANSWER, Need


def expected_length(need: Need, have: int) -> float:
    """A rank, not a forecast: thinking before answers, more room first, longer prompts first.

    Long prompts go with long traces; the room left is the cap that the segment may reach.
    """
    if need.kind == ANSWER:
        return 0.0
    return (need.length - have) + len(need.prompt)
