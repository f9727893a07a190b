"""`s1flow export`: a finished study in the forms of other projects."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.storage import gb
from workflow_scripts.exchange.exported import Exported, write_folder
from workflow_scripts.exchange.results_folder import ResultsFolder, Wanted

if TYPE_CHECKING:
    from workflow_scripts.exchange.cards import Terms

HELP = """\
Write a finished study in the forms of other projects, every number from its tables.

    s1flow export results --format inspect           # logs for `inspect view`
    s1flow export results --format all --owner my-lab --licence apache-2.0
    s1flow export results --format lm-eval --model s1k --method natural

Nothing is sent anywhere: `s1flow publish` does that, and asks first. docs/exchange.md says what
each form keeps."""

RELATIONSHIPS = ("first_party", "third_party", "collaborative", "other")


def arguments(parser: argparse.ArgumentParser) -> None:
    """The words of the command."""
    add = parser.add_argument
    add("results", type=Path, metavar="RESULTS", help="results folder of a finished study")
    forms = [*FORMS, "all"]
    add("--format", required=True, choices=forms, metavar="FORM", help=", ".join(forms))
    add("--out", type=Path, metavar="FOLDER", help="default: RESULTS/export; a folder per form")
    add("--replace", action="store_true", help="replace an earlier export there")
    take = parser.add_argument_group("what to take (repeat for several; default: everything)")
    take.add_argument("--model", action="append", default=[], metavar="NAME")
    take.add_argument("--benchmark", action="append", default=[], metavar="NAME")
    take.add_argument("--method", action="append", default=[], metavar="NAME")
    take.add_argument("--budget", action="append", default=[], metavar="TOKENS")
    take.add_argument("--set", action="append", default=[], metavar="NAME", help="training set")
    said = parser.add_argument_group("what no table knows")
    said.add_argument(
        "--owner", default="local", metavar="NAME", help="who publishes, as part of model names"
    )
    said.add_argument(
        "--relationship",
        default="other",
        choices=RELATIONSHIPS,
        metavar="WHO",
        help=f"of you to the models' makers: {', '.join(RELATIONSHIPS)} (default: other)",
    )
    said.add_argument(
        "--licence", default="unknown", metavar="ID", help="of set and model, as hubs name it"
    )
    said.add_argument(
        "--task",
        action="append",
        default=[],
        metavar="BENCHMARK=ID",
        help="task id in the eval.yaml of a benchmark of the hub",
    )
    said.add_argument("--source-url", metavar="URL", help="where the samples can be seen")


def run(options: argparse.Namespace) -> int:
    """Write the forms; returns the exit status."""
    wanted = Wanted(
        tuple(options.model), tuple(options.benchmark), tuple(options.method), tuple(options.budget)
    )
    results = ResultsFolder(options.results, wanted)
    out = options.out or options.results / "export"
    every = options.format == "all"
    job = Job(results, options, datetime.now(UTC))
    for name in FORMS if every else [options.format]:
        reason = FORMS[name].lacking(results)
        if reason and not every:
            raise UserError(f"no {name} to export: {reason}")
        if reason:
            print(f"{name}: left out, {reason}")
            continue
        folder = out / name
        made = write_folder(folder, name, results.study, options.replace, job.writer(name))
        print(_line(folder, made))
        for note in FORMS[name].notes(results):
            print(f"  {note}")
    return 0


@dataclass(frozen=True)
class Job:
    """A study, what was asked of it, and when."""

    results: ResultsFolder
    options: argparse.Namespace
    at: datetime

    def writer(self, name: str) -> Callable[[Path], list[Path]]:
        """What writes a form into a folder."""
        return lambda folder: FORMS[name].write(self, folder)


@dataclass(frozen=True)
class Form:
    """How a form is written, why a study cannot have it ("" if it can), and what to say of it."""

    write: Callable[[Job, Path], list[Path]]
    lacking: Callable[[ResultsFolder], str] = lambda results: ""
    notes: Callable[[ResultsFolder], list[str]] = lambda results: []


def _line(folder: Path, made: Exported) -> str:
    return f"{made.form}: {made.count} files, {gb(made.size)} in {folder}"


def _every_eval_ever(job: Job, folder: Path) -> list[Path]:
    from workflow_scripts.exchange.every_eval_ever import Publisher, write

    publisher = Publisher(job.options.owner, job.options.relationship)
    return write(job.results, folder, publisher, job.at)


def _inspect(job: Job, folder: Path) -> list[Path]:
    from workflow_scripts.exchange.inspect_writing import write

    return write(job.results, folder, job.options.owner, job.at)


def _lm_eval(job: Job, folder: Path) -> list[Path]:
    from workflow_scripts.exchange.lm_eval_writing import write

    return write(job.results, folder, job.options.owner, job.at)


def _hub_results(job: Job, folder: Path) -> list[Path]:
    from workflow_scripts.exchange.hub_results import write

    return write(job.results, folder, _terms(job).naming)


def _dataset(job: Job, folder: Path) -> list[Path]:
    from workflow_scripts.exchange.cards import write_dataset

    known = job.results.set_names()
    names = job.options.set or known
    absent = [name for name in names if name not in known]
    if absent:
        raise UserError(f"no training set {absent[0]!r}; the study selected: {', '.join(known)}")
    terms = _terms(job)
    return [path for name in names for path in write_dataset(job.results, folder, name, terms)]


def _model(job: Job, folder: Path) -> list[Path]:
    from workflow_scripts.exchange.cards import write_model

    names = [model.name for model in job.results.models if model.training]
    terms = _terms(job)
    return [path for name in names for path in write_model(job.results, folder, name, terms)]


def _terms(job: Job) -> "Terms":
    from workflow_scripts.exchange.cards import Terms
    from workflow_scripts.exchange.hub_results import Naming

    pairs = [word.partition("=") for word in job.options.task]
    for name, _, task in pairs:
        if name not in job.results.benchmarks or not task:
            known = ", ".join(job.results.benchmarks)
            raise UserError(f"--task {name}: write BENCHMARK=ID with one of {known}")
    naming = Naming({name: task for name, _, task in pairs}, job.options.source_url)
    return Terms(job.options.licence, job.options.owner, naming)


def _without_sets(results: ResultsFolder) -> str:
    return "" if results.set_names() else "the study selected no training set"


def _without_training(results: ResultsFolder) -> str:
    trained = any(model.training for model in results.models)
    return "" if trained else "the study trained none of the models"


def _not_on_hub(results: ResultsFolder) -> list[str]:
    from workflow_scripts.exchange.hub_results import unlisted

    names = unlisted(results)
    told = f"in model-index alone, since their questions are not from the hub: {', '.join(names)}"
    return [told] if names else []


FORMS = {
    "every-eval-ever": Form(_every_eval_ever),
    "inspect": Form(_inspect),
    "lm-eval": Form(_lm_eval),
    "hub-results": Form(_hub_results, notes=_not_on_hub),
    "dataset": Form(_dataset, _without_sets),
    "model": Form(_model, _without_training),
}
