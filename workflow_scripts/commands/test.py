"""`s1flow test`: the tests of a checkout."""

import argparse
import importlib.util
import os
import sys
from pathlib import Path

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.home import CHECKOUT_OR_SITE

PASSES_ON = True
HELP = """\
Run the tests of a checkout; an installed package holds none. Words go to pytest.

    s1flow test
    s1flow test tests/grading -q"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """None of its own."""
    parser.usage = "s1flow test [-h] [FILE ...] [pytest's options]"


def run(options: argparse.Namespace) -> int:
    """Become pytest in the checkout."""
    places = (Path.cwd(), CHECKOUT_OR_SITE)
    checkout = next((place for place in places if (place / "tests/workflow").is_dir()), None)
    if checkout is None:
        raise UserError("the tests lie in a checkout of s1flow: call `s1flow test` there")
    if importlib.util.find_spec("pytest") is None:
        raise UserError(f"{sys.executable} has no pytest; install the pins of envs/lock/cpu.txt")
    os.chdir(checkout)
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *options.words])
