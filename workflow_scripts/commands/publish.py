"""`s1flow publish`: an exported folder to a repository of a hub, after a question."""

import argparse
import sys
from pathlib import Path

from workflow_scripts.common.errors import UserError
from workflow_scripts.exchange.publish import KINDS, Sending, plan, send

HELP = """\
Send a folder that `s1flow export` made to a repository of the Hugging Face hub. What will be sent,
where, and who will see it is listed first; nothing is sent before you agree.

    s1flow publish results/export/model/s1k --to my-lab/my-model
    s1flow publish results/export/dataset/s1k --to my-lab/my-set --public --yes

Log in with `hf auth login`, or set HF_TOKEN. HF_ENDPOINT names another hub."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The words of the command."""
    add = parser.add_argument
    add("folder", type=Path, metavar="FOLDER", help="what to send")
    add("--to", required=True, metavar="OWNER/NAME", help="the repository")
    add(
        "--type",
        choices=KINDS,
        metavar="KIND",
        help="of the repository: model or dataset (default: as the files look)",
    )
    add("--public", action="store_true", help="everyone may see a repository that is made new")
    add("--pull-request", action="store_true", help="as a pull request, for its owners to merge")
    add("--yes", action="store_true", help="agree without being asked")


def run(options: argparse.Namespace) -> int:
    """List, ask, send; returns the exit status: 1 where nobody agreed."""
    sending = plan(options.folder, options.to, options.type, options.public, options.pull_request)
    print(sending.described())
    if not options.yes and not _agreed(sending):
        print("nothing was sent")
        return 1
    print(f"sent: {send(sending)}")
    return 0


def _agreed(sending: Sending) -> bool:
    """Ask on a terminal. UserError where there is none to ask."""
    if not sys.stdin.isatty():
        raise UserError("nobody to ask here, so nothing was sent; add --yes if you agree")
    return input(f"Send this to {sending.repository}? [y/N] ").strip().lower() in ("y", "yes")
