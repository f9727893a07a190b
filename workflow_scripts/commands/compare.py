"""`s1flow compare`: studies side by side, and a gate for continuous integration."""

import argparse
import sys
from pathlib import Path

HELP = """\
Compare finished studies, or what was imported from other harnesses, on the questions that they
share: what was changed, differences with intervals, what can be told apart.

    s1flow compare results/before results/after
    s1flow compare old=results/a new=results/b --fail-if "upper(math500 natural) < 0"
    s1flow compare results:base results:s1k          # two models of one study

Conditions of --fail-if are points, the later study minus the first:
    "math500 truncation@4000 < -2"         the estimate
    "upper(s1k/math500 natural) < 0"       even the upper end of its interval: a resolved loss
    "lower(* natural) < -5"                a loss of 5 points is not ruled out, anywhere
Exit status: 0, or 1 where a condition holds, cannot be judged, or something cannot be compared.
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument(
        "studies",
        nargs="+",
        metavar="[NAME=]FOLDER[:MODEL]",
        help="results folders; the first is what the others are compared with",
    )
    parser.add_argument(
        "--fail-if",
        action="append",
        default=[],
        metavar="CONDITION",
        help="exit with status 1 where it holds; may be given several times",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("comparison"), metavar="FOLDER",
        help="where the page and its tables go (default: comparison)",
    )  # fmt: skip
    parser.add_argument("--confidence", type=_share, default=0.95, metavar="SHARE")
    parser.add_argument(
        "--smallest-effect", type=float, default=5.0, metavar="POINTS",
        help='"no change" is said of intervals within plus or minus this (default: 5)',
    )  # fmt: skip
    parser.add_argument("--flips", type=int, default=10_000, help="sign flips of the test")
    parser.add_argument("--seed", type=int, default=42)


def _share(text: str) -> float:
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def run(options: argparse.Namespace) -> int:
    """Write the comparison, tell its claims, and fail where a condition says so."""
    from workflow_scripts.analysis.contrasts import Rule
    from workflow_scripts.comparing.compare import compare, write
    from workflow_scripts.comparing.terminal import lines

    rule = Rule(options.confidence, options.smallest_effect, options.flips, options.seed)
    found, tables = compare(options.studies, options.fail_if, rule)
    files = write(found, tables, options.out)
    print("\n".join(lines(found)))
    print(f"page: {files[0]}")
    sys.stdout.flush()
    for one in found.failed:
        print(f"fails: {one.sentence}", file=sys.stderr)
    return int(bool(found.failed))
