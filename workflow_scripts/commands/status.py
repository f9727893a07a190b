"""`s1flow status`: how far a study is, from the files that its jobs write."""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from workflow_scripts.common.errors import InputError
from workflow_scripts.reporting.live import (
    DIED,
    DONE,
    FAILED,
    INTERRUPTED,
    RUNNING,
    SILENT,
    STATES,
    UNKNOWN,
    Job,
    Live,
    clock,
    folders,
    look,
)

HELP = """\
Show how far a study is: each running job's progress, rate and time left, jobs that failed or died,
and accuracies as far as grades exist. Only files are read, so it works beside a study that runs on
other nodes, and after it. Without a terminal a look is one line for a log.

    s1flow status                              # the study here where something happened last
    s1flow status --results results/demo --every 10"""
BAR = 20  # cells
QUIET_S = 120  # a running job whose log says nothing for so long is pointed out
LATEST = 6  # finished jobs that are shown
MOST = 12  # of jobs in trouble
HEADS = {
    RUNNING: "running",
    SILENT: "silent (on another node; nothing tells whether they live)",
    DIED: "died",
    FAILED: "failed",
    INTERRUPTED: "interrupted",
    UNKNOWN: "no end known",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which study, how often, in which form."""
    parser.add_argument("--results", type=Path, metavar="FOLDER", help="the study's results")
    parser.add_argument("--every", type=float, metavar="SECONDS", help="look again, until Ctrl-C")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--lines", action="store_true", help="a line, as without a terminal")
    form.add_argument("--full", action="store_true", help="the whole page without a terminal, too")
    form.add_argument("--json", action="store_true", help="everything that is known, as JSON")


def run(options: argparse.Namespace) -> int:
    """Look once, or again and again."""
    results = options.results or _latest()
    while True:
        _show(look(results), options)
        if not options.every:
            return 0
        time.sleep(max(options.every, 1.0))


def _latest() -> Path:
    found = folders(Path())
    if not found:
        raise InputError(
            "no study has run in this folder; name its results: s1flow status --results FOLDER"
        )
    if len(found) > 1:
        others = ", ".join(str(each) for each in found[1:6])
        print(f"[s1flow] also here: {others} (--results FOLDER)", file=sys.stderr)
    return found[0]


def _show(live: Live, options: argparse.Namespace) -> None:
    terminal = sys.stdout.isatty()
    if options.json:
        text = json.dumps(asdict(live), default=str)
    elif options.full or terminal and not options.lines:
        text = "\n".join(page(live))
    else:
        text = line(live)
    if terminal and options.every and not options.lines and not options.json:
        text = "\033[H\033[2J" + text  # the same place on the screen
    print(text, flush=True)


def line(live: Live) -> str:
    """The state in one line: counts of jobs, then each running job, then what is wrong."""
    parts = [f"{datetime.now():%F %T} {live.results}: {_counts(live)}"]
    parts += [f"{job.name} {_progress(job)}" for job in live.of(RUNNING)]
    parts += [f"{job.name} {job.state}" for job in live.of(SILENT, DIED, FAILED, INTERRUPTED)]
    if live.accuracies:
        parts.append("accuracy " + ", ".join(f"{m} {text}" for m, text in _accuracies(live)))
    return " | ".join(parts)


def page(live: Live) -> Iterator[str]:
    """The state on a screen."""
    name = f"{live.results} (study {live.study})" if live.study else str(live.results)
    yield f"{name}  {datetime.now():%F %T}"
    yield _counts(live)
    for state in STATES[:-1]:
        jobs = live.of(state)
        if jobs:
            yield from ("", f"{HEADS[state]}:")
            yield from _entries(jobs)
    done = [job for job in live.of(DONE) if job.progress]
    if done:
        yield from ("", "done last, of those with progress:")
        yield from _entries(done[:LATEST])
    yield from ("", "accuracy so far, natural end:")
    if not live.accuracies:
        yield "  nothing is graded yet; grading follows when a model is decoded"
    yield from (f"  {model}  {text}" for model, text in _accuracies(live))
    yield from (f"  {model}  not graded yet" for model in live.ungraded if live.accuracies)


def _entries(jobs: list[Job]) -> Iterator[str]:
    width = max(len(job.name) for job in jobs[:MOST])
    for job in jobs[:MOST]:
        yield f"  {job.name:<{width}}  {_bar(job)}{_progress(job)}"
        if job.message:
            yield f"  {'':<{width}}  {job.message}"
        if job.state not in (DONE, RUNNING) and job.log.exists():
            yield f"  {'':<{width}}  {clock(job.ago)} ago; log: {job.log}"
    if len(jobs) > MOST:
        yield f"  and {len(jobs) - MOST} more"


def _bar(job: Job) -> str:
    if job.progress is None:
        return ""
    full = round(BAR * min(job.progress.share, 1.0))
    return f"[{'#' * full}{'.' * (BAR - full)}] "


def _progress(job: Job) -> str:
    """How far a job is, or for how long it has run where it does not count."""
    seen = job.progress
    if seen is None:
        text = f"{'for' if job.state == RUNNING else 'after'} {clock(job.seconds)}"
    else:
        left = f", {seen.left} left" if seen.left and job.state == RUNNING else ""
        facts = f", {seen.facts}" if seen.facts else ""
        count = f"{seen.done:,}/{seen.total:,} {seen.unit} ({seen.share:.0%})"
        text = f"{count} in {seen.used}{left}{facts}"
    if job.state == RUNNING and job.quiet is not None and job.quiet > QUIET_S:
        text += f" (its log says nothing for {clock(job.quiet)})"
    return text


def _counts(live: Live) -> str:
    counted = Counter(job.state for job in live.jobs)
    jobs = ", ".join(f"{counted[state]} {state}" for state in STATES if counted[state])
    return f"{jobs or 'no job started yet'}; {_workflow(live)}"


def _workflow(live: Live) -> str:
    flow = live.workflow
    if flow is None:
        return "nothing tells of snakemake itself"
    steps = f"{flow.done} of {flow.total} steps" if flow.total else "no step done"
    if flow.ended:
        return f"snakemake has ended after {steps}"
    if flow.alive is None:
        return f"snakemake, on {flow.host}: {steps}, no end in its log"
    return f"snakemake {'runs' if flow.alive else 'was killed'}: {steps}"


def _accuracies(live: Live) -> Iterator[tuple[str, str]]:
    """Per model its benchmarks: `demo-math 61.0 % (of 100)`."""
    for model in dict.fromkeys(each.model for each in live.accuracies):
        own = [each for each in live.accuracies if each.model == model]
        cells = [f"{e.dataset} {e.correct / e.count:.1%} (of {e.count})" for e in own if e.count]
        stale = "; of its decoding before the last" if any(each.stale for each in own) else ""
        yield model, ", ".join(cells) + stale
