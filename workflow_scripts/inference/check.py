"""Does a fresh generation write the same ids? A sample of chains is decoded again and compared."""

import random
from dataclasses import asdict, dataclass

from workflow_scripts.inference.chain import Ids
from workflow_scripts.inference.engine import Engine, Request, Sampling
from workflow_scripts.inference.keys import segment_key
from workflow_scripts.inference.plan import Lookup, Plan

SAMPLE = 20  # chains
LENGTH = 256  # ids per chain at most


@dataclass(frozen=True)
class Agreement:
    """Outcome of decoding prefixes again.

    equal              prefixes that came out id for id
    mean_common_share  mean share of ids in front of the first difference
    """

    chains: int
    ids: int
    equal: int
    mean_common_share: float

    def as_facts(self) -> dict[str, float]:
        """Names and numbers, with the rate."""
        return {**asdict(self), "rate": round(self.equal / self.chains, 4) if self.chains else 0.0}


def redecode(engine: Engine, plans: list[Plan], lookup: Lookup, seed: int) -> Agreement:
    """Decode the first ids of up to 20 greedy chains anew, in one batch of their own."""
    draw = random.Random(seed)
    chosen = draw.sample(plans, min(SAMPLE, len(plans)))
    wanted: dict[str, Ids] = {}
    requests = []
    for plan in chosen:
        root = plan.root()
        sampling = Sampling(plan.study.vocabulary.think_end)
        known = lookup(segment_key(plan.study.scope, root.prompt, sampling))
        if known is None or not known.ids:
            continue
        ids = known.ids[: draw.randint(1, LENGTH)]
        key = f"check {plan.owner}"
        wanted[key] = ids
        requests.append(Request(key, root.prompt, len(ids), sampling, f"{plan.owner} check"))
    written = _decode(engine, requests)
    return _compare(wanted, written)


def _decode(engine: Engine, requests: list[Request]) -> dict[str, list[int]]:
    written: dict[str, list[int]] = {request.key: [] for request in requests}
    engine.submit(requests)
    running = set(written)
    while running:
        for output in engine.poll():
            written[output.key].extend(output.ids)
            if output.finished:
                running.discard(output.key)
    return written


def _compare(wanted: dict[str, Ids], written: dict[str, list[int]]) -> Agreement:
    shares = []
    for key, ids in wanted.items():
        pairs = enumerate(zip(ids, written[key], strict=False))
        same = next((i for i, (a, b) in pairs if a != b), min(len(ids), len(written[key])))
        shares.append(same / len(ids))
    return Agreement(
        len(wanted),
        sum(map(len, wanted.values())),
        sum(share == 1.0 for share in shares),
        round(sum(shares) / len(shares), 6) if shares else 0.0,
    )
