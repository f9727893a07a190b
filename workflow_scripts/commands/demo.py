"""`s1flow demo`: the demo study, to its report."""

import argparse
import sys
from pathlib import Path

import yaml

from workflow_scripts.commands.snakemake import become, given, in_checkout
from workflow_scripts.common.home import home

PASSES_ON = True
PROFILE = "profiles/demo/profile.yaml"
HELP = """\
Run the demo study: everything is real, only small; two CPU cores and some minutes, no network. Its
report will be results/demo/report/report.html under the folder that you are in. A second call has
nothing to do. Words go to snakemake.

    s1flow demo
    s1flow demo -n        # what would run"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """None of its own."""
    parser.usage = "s1flow demo [-h] [snakemake's options]"


def run(options: argparse.Namespace) -> int:
    """Become snakemake with the demo's config."""
    print("[s1flow] the report will be results/demo/report/report.html", file=sys.stderr)
    cores = [] if given(options.words, ("-c", "--cores")) else ["--cores", "2"]
    quiet = (
        [] if given(options.words, ("-q", "--quiet", "-n", "--dry-run")) else ["--quiet", "rules"]
    )
    become(["report", *options.words, *cores, *quiet, "--configfile", *_overlays()])


def _overlays() -> list[str]:
    """The configs of the demo's profile, which names them as seen from a checkout."""
    profile = Path(PROFILE) if in_checkout() else home() / PROFILE
    return yaml.safe_load(profile.read_text())["configfile"]
