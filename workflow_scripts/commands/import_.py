"""`s1flow import`: outputs of another harness as a results folder that can be compared."""

import argparse
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workflow_scripts.common.errors import UserError

HELP = """\
Read what another harness wrote (lm-evaluation-harness samples_*.jsonl, inspect_ai .eval, lighteval
details, NeMo-Skills output*.jsonl, plain JSONL), grade it here, and write a results folder of its
own, which `s1flow compare` reads, and an entry for the `models:` of a study.

Questions are found by their text among those of a study (--against), or are the files' own.

    s1flow import lm_out/ --against results/demo --name their-model
    s1flow compare results/demo imported/their-model"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Files, and what their names do not tell."""
    from workflow_scripts.common.settings.imported import FORMATS

    parser.add_argument("files", nargs="+", metavar="FILE", help="files, folders or globs")
    parser.add_argument("--name", help="of the model: small letters, digits, -; default: theirs")
    parser.add_argument("--format", choices=FORMATS, help="default: told by the names of the files")
    parser.add_argument(
        "--against", type=Path, metavar="RESULTS", help="results folder whose questions are meant"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="results folder to write; default: imported/NAME"
    )
    parser.add_argument("--model", help="as the files call it, where they are of several")
    parser.add_argument("--metric", help="the harness's verdict, where its files have several")
    parser.add_argument("--filter", help="of lm-eval, where its files have several")
    parser.add_argument("--tokenizer", help="folder or hub id, to count tokens that nobody counted")
    parser.add_argument(
        "--columns", type=_pairs, default={}, metavar="OURS=THEIRS,...", help="of plain JSONL"
    )
    parser.add_argument(
        "--unfinished", action="store_true", help="take what a run that was stopped has written"
    )
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="for grading")


def run(options: argparse.Namespace) -> int:
    """Write the folder, and say what was read, what differs and where it lies."""
    import polars as pl

    from workflow_scripts.common.settings.imported import Imported
    from workflow_scripts.common.source_files import log_files
    from workflow_scripts.common.tables.imported import ImportFacts
    from workflow_scripts.exchange.import_folder import guessed, make

    files = log_files(options.files)
    absent = next((name for name in files if not Path(name).is_file()), None)
    if absent or not files:
        raise UserError(f"{absent or options.files[0]} does not exist, or holds no file to read")
    name = options.name or _named(options.files[0])
    if not re.fullmatch("[a-z0-9][a-z0-9-]*", name):
        raise UserError(f"--name {name!r}: small letters, digits and - alone")
    asked = Imported(
        options.format or guessed(files),
        {},
        columns=options.columns,
        metric=options.metric,
        filter=options.filter,
        model=options.model,
        tokenizer=options.tokenizer,
        unfinished="accept" if options.unfinished else "refuse",
    )
    out = options.out or Path("imported") / name
    with _findings_once():
        parts = make(name, files, asked, options.against, out, options.threads)
    facts = ImportFacts.read(out / "imported" / name / "facts.json")
    print(f"{facts.harness} {facts.version}: {facts.named or 'a model without a name'}")
    counts = pl.read_csv(out / "imported" / "verdicts.csv").to_dicts()
    for part, row in zip(parts, counts, strict=False):
        right, total = row["right_here"], row["responses"]
        print(f"  {part.benchmark}: {total} responses, {right} right by our grader", end="")
        odd = row["only_ours"] + row["only_theirs"]
        judged = f"; {odd} of {row['judged']} judged otherwise by {row['metric']}"
        print(judged if row["judged"] else "; no verdict of the harness on single responses")
    for finding in facts.findings:
        print(f"  {finding.kind}, {finding.where}: {finding.count}: {finding.message}")
    print(f"results: {out}; for a study: {out / 'imported' / (name + '.yaml')}")
    return 0


@contextmanager
def _findings_once() -> Iterator[None]:
    """Without the log lines of the single steps: every finding is said at the end."""
    from workflow_scripts.common.job import log

    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


def _pairs(text: str) -> dict[str, str]:
    try:
        return dict(pair.split("=", 1) for pair in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: write OURS=THEIRS,...") from None


def _named(file: str) -> str:
    """A model's name from where its files lie."""
    stem = re.sub(r"[^a-z0-9]+", "-", Path(file).resolve().stem.lower()).strip("-")
    return stem[:40].strip("-") or "imported"
