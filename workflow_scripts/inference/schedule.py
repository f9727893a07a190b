"""The scheduler: everything is submitted at once, and nothing waits for anything it does not need.

One loop around `engine.submit` and `engine.poll`. A row's answer is asked for once its
thinking is known, also while the rest of its chain is still being written; answers go in groups, at
most a second apart.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field

from workflow_scripts.common.progress import TERMINAL_INTERVAL_S, Progress
from workflow_scripts.common.tables.generation import NATURAL
from workflow_scripts.inference.chain import Segment
from workflow_scripts.inference.ends import Watch
from workflow_scripts.inference.engines.base import Counts, Engine, Output, Request
from workflow_scripts.inference.plan import ANSWER, Need, Plan, Row
from workflow_scripts.inference.store import Store

# Seconds between checkpoints: a fiftieth of the run so far, within these bounds.
CHECKPOINT_SHARE, CHECKPOINT_MIN_S, CHECKPOINT_MAX_S = 0.02, 0.02, 2.0
# Answers are sent in groups, at most so far apart: every prefill slows the step of all sequences.
GROUP_SHARE, GROUP_MAX_S = 0.04, 1.0
# Ids that one random stream covers when sampling, so that a resume draws the same: a kill loses the
# open block of every draw (480 draws of 4,000 ids: 1 to 5 % of a sweep, with 1,024 up to 13 %).
BLOCK = 256
FIRST = -1  # random stream of an id that is asked for by itself


RowKey = tuple[int, int]  # number of a plan, and of a row within it


@dataclass
class Job:
    """A segment that is being decoded.

    waiters  rows that can go on, by the length at which they can
    watch    for an end that the model spells in several ids; None where all its ends are tokens
    """

    need: Need
    ids: list[int]
    asked: int  # ids that this request may reach
    saved: int  # ids that the store holds
    sent: int = 0  # prompt ids of the last request
    cached: int = 0  # of them, in the engine's cache
    watch: Watch | None = None
    waiters: dict[int, set[RowKey]] = field(default_factory=lambda: defaultdict(set))

    def next_wake(self) -> int:
        """Smallest length at which a row can go on."""
        return min(self.waiters, default=self.need.length)

    @property
    def reach(self) -> int:
        """Ids that rows can be built on."""
        return self.watch.settled if self.watch else len(self.ids)

    @property
    def limit(self) -> int:
        """Ids at which it is known what stands in the first `need.length`."""
        return self.need.length + (self.need.ends.slack if self.need.ends else 0)

    @property
    def done(self) -> bool:
        """Whether it has what was asked for, whatever the engine goes on to write."""
        return self.watch is not None and (self.watch.ended or self.reach >= self.need.length)

    def take(self, output: Output) -> None:
        """New ids."""
        self.ids.extend(output.ids)
        self.cached = output.cached or self.cached
        if self.watch:
            self.watch.feed(output.ids)


class Sweep:
    """Decodes whatever the plans need and the store lacks.

    engine   called once, when the first request has to be made; never if the store holds everything
    devices  GPUs that this run holds; its device seconds are theirs
    """

    def __init__(
        self,
        plans: list[Plan],
        store: Store,
        engine: Callable[[], Engine],
        label: str = "generate",
        devices: int = 0,
    ) -> None:
        self.plans, self.store, self._make_engine = plans, store, engine
        self.engine: Engine | None = None
        self.counts = Counts(gpus=devices)
        self.ends: dict[str, int] = defaultdict(int)
        self._known: dict[str, Segment] = {}
        self._jobs: dict[str, Job] = {}
        rows = (range(len(plan.readings)) for plan in plans)
        self._rows = [(number, row) for number, own in enumerate(rows) for row in own]
        self._run: int | None = None
        self._held: list[Job] = []
        self._sent = 0.0
        self.progress = Progress(label, len(self._rows), "rows")

    def run(self) -> None:
        """Work until every row of every plan is finished."""
        self._started = self._saved = self._reported = time.monotonic()
        self._request(self._advance(self._rows))
        self._started = self._saved = self._reported = time.monotonic()
        try:
            while self._jobs:
                assert self.engine is not None
                self._send_answers()
                outputs = self.engine.poll()
                woken = self._receive(outputs)
                self.store.tick(self.counts.decoded)
                self._request(self._advance(woken))
                self._checkpoint()
                self._report()
        finally:
            self._checkpoint(last=True)  # after a failure or Ctrl-C, too
        self.progress.close(**self._facts())

    def close(self) -> None:
        """Free the engine, and keep what it said about itself."""
        if self.engine is not None:
            try:
                self.store.note("engine_facts", self.engine.facts())
            finally:
                self.engine.close()

    def _advance(self, woken: Iterable[RowKey]) -> list[tuple[RowKey, Need]]:
        """Replay rows; those that are not finished say what they need."""
        needs = []
        rows: dict[int, set[int]] = defaultdict(set)
        for number, row in woken:
            rows[number].add(row)
        for number in sorted(rows):
            for row, found in self._replay(number, rows[number]):
                if isinstance(found, Need):
                    needs.append(((number, row), found))
                    continue
                self.progress.update()
                if found is not None:
                    self.ends[found.cut.end] += 1
        return needs

    def _replay(self, number: int, rows: set[int]) -> list[tuple[int, Row | Need | None]]:
        """Some rows of a plan.

        A sampled segment goes on at the start of a block: what it holds behind that is another
        draw by then, so no row may be built on it.
        """
        while True:
            found = list(self.plans[number].rows(self._lookup, rows))
            ragged = [
                need.key
                for _, need in found
                if isinstance(need, Need) and need.sampling.temperature and self._ragged(need.key)
            ]
            if not ragged:
                return found
            for key in ragged:
                ids = self._known[key].ids
                self._known[key] = Segment(ids[: len(ids) // BLOCK * BLOCK])

    def _ragged(self, key: str) -> bool:
        return key not in self._jobs and len(self._known.get(key, Segment(())).ids) % BLOCK > 0

    def _lookup(self, key: str) -> Segment | None:
        if key in self._jobs:
            return Segment(tuple(self._jobs[key].ids))
        if key not in self._known:
            segment = self.store.get(key)
            if segment is None:
                return None
            self._known[key] = segment
        return self._known[key]

    def _request(self, needs: list[tuple[RowKey, Need]]) -> None:
        """Start jobs for needs that none serves yet; note who waits for what."""
        fresh: dict[str, Job] = {}
        for row, need in needs:
            job = self._jobs.get(need.key) or fresh.get(need.key)
            if job is None:
                known = self._lookup(need.key) or Segment(())
                watch = need.ends.watch(known.ids) if need.ends else None
                job = Job(need, list(known.ids), 0, len(known.ids), watch=watch)
                fresh[need.key] = job
            elif need.key in fresh and need.length > job.need.length:
                job.need = need
            job.waiters[need.length].add(row)
        # Whatever the store holds behind these ids is of an earlier draw.
        self.store.trim((key, job.saved) for key, job in fresh.items())
        self._submit(fresh)

    def _submit(self, jobs: dict[str, Job]) -> None:
        if not jobs:
            return
        if self.engine is None:
            self.engine = self._make_engine()
        self._jobs.update(jobs)
        self._held += [job for job in jobs.values() if job.need.kind == ANSWER]
        self._send([job for job in jobs.values() if job.need.kind != ANSWER])

    def _send_answers(self) -> None:
        """Send the answers that are held back, if it is time to or nothing else is running."""
        now = time.monotonic()
        pause = min(GROUP_SHARE * (now - self._started), GROUP_MAX_S)
        if len(self._held) == len(self._jobs) or (self._held and now - self._sent >= pause):
            self._sent = now
            held, self._held = self._held, []
            self._send(held)

    def _send(self, jobs: list[Job]) -> None:
        assert self.engine is not None
        order = sorted(jobs, key=lambda job: -expected_length(job.need, len(job.ids)))
        self.engine.submit([self._as_request(job) for job in order])
        self.counts.requests += len(order)

    def _as_request(self, job: Job) -> Request:
        need, sampling = job.need, job.need.sampling
        job.asked = job.limit
        block = len(job.ids) // BLOCK
        if sampling.not_first and not job.ids:
            job.asked, block = 1, FIRST  # engines can forbid ids for a whole request alone
        elif sampling.temperature and not self._whole:
            job.asked = min(job.limit, (block + 1) * BLOCK)
        sampling = sampling.for_block(block)
        prompt = need.prompt + tuple(job.ids)
        job.sent = len(prompt)
        sampling = sampling.after(len(job.ids))
        length = job.asked - len(job.ids)
        return Request(need.key, prompt, length, sampling, need.owner, need.message)

    @property
    def _whole(self) -> bool:
        """Whether the engine gives whole responses alone, so that no draw is made in blocks."""
        return getattr(self.engine, "WHOLE", False)

    def _receive(self, outputs: list[Output]) -> set[RowKey]:
        """Take new ids; which rows can go on."""
        woken: set[RowKey] = set()
        finished = []
        again: dict[str, Job] = {}
        aborted = []
        for output in outputs:
            self.counts.decoded += len(output.ids) + (output.stop_id is not None)
            job = self._jobs.get(output.key)
            if job is None or job.done:
                continue  # written before the engine heard that it should stop
            job.take(output)
            if output.finished:
                self._account(job)
            open_end = output.finished and output.stop_id is None and not job.done
            if open_end and job.reach < job.need.length:
                again[output.key] = job  # the next block of a sampled segment
            elif output.finished or job.done:
                finished.append((job, output.stop_id))
                if not output.finished:
                    self._account(job)
                    aborted.append(output.key)
            elif job.reach >= job.next_wake():
                for length in [at for at in job.waiters if at <= job.reach]:
                    woken |= job.waiters.pop(length)
        if aborted:
            assert self.engine is not None
            self.engine.abort(aborted)
        self._finish(finished)
        for job, _ in finished:
            woken.update(*job.waiters.values())
        self._submit(again)
        return woken

    def _finish(self, finished: list[tuple[Job, int | None]]) -> None:
        if not finished:
            return
        rows = []
        for job, stop_id in finished:
            segment = Segment(tuple(job.ids), stop_id)
            del self._jobs[job.need.key]
            self._known[job.need.key] = segment
            rows.append((job.need.key, job.need.owner, job.need.kind, segment))
        self.store.finish(rows)

    def _account(self, job: Job) -> None:
        self.counts.cached += job.cached
        self.counts.prefilled += max(0, job.sent - job.cached)
        job.cached = 0

    def _checkpoint(self, last: bool = False) -> None:
        """Save the ids of running segments and this run's counts, if it is time to."""
        now = time.monotonic()
        pause = CHECKPOINT_SHARE * (now - self._started)
        if not last and now - self._saved < min(max(pause, CHECKPOINT_MIN_S), CHECKPOINT_MAX_S):
            return
        self._saved = now
        pieces = []
        for key, job in self._jobs.items():
            if len(job.ids) > job.saved:
                pieces.append((key, job.saved, tuple(job.ids[job.saved :])))
                job.saved = len(job.ids)
        if self.engine is not None:
            self.counts.seconds = now - self._started
            self.store.checkpoint(pieces)
            self._run = self.store.run(self._run, asdict(self.counts.noted()))

    def _report(self) -> None:
        now = time.monotonic()
        if now - self._reported >= TERMINAL_INTERVAL_S:
            self._reported = now
            self.progress.update(0, **self._facts())

    def _facts(self) -> dict[str, object]:
        used = max(time.monotonic() - self.progress.start, 1e-6)
        ended = sum(self.ends.values())
        cut = ended - self.ends[NATURAL]
        running = sum(job.need.kind != ANSWER for job in self._jobs.values())
        return {
            "tokens/s": f"{self.counts.decoded / used:,.0f}",
            "chains running": running,
            "cut": f"{cut / ended:.0%}" if ended else "-",
        }


def expected_length(need: Need, have: int) -> float:
    """How long a segment will probably be: long ones start first, so that none is left alone.

    A rank, not a forecast: thinking before answers, more room first, longer prompts first. Long
    prompts go with long traces; the room left is the cap that the segment may reach.
    """
    if need.kind == ANSWER:
        return 0.0
    return (need.length - have) + len(need.prompt)
