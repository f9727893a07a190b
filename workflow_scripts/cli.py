"""The command `s1flow`: one word for each thing that a person does with a study.

    s1flow demo                     # the demo study, to its report
    s1flow run report --cores 8     # your study; words go to snakemake as they are
    s1flow COMMAND --help           # what a command takes

`python -m workflow_scripts.cli` is the same without installation. Only the module of the command
that was asked for is imported, so that `--help` is quick.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.home import version

INTERRUPTED = 130  # as of a shell


@dataclass(frozen=True)
class Command:
    """A command and the module that does it.

    module  under workflow_scripts/commands; it has `HELP` (what `s1flow NAME --help` begins with),
            `arguments(parser)` and `run(options)`, which gives the exit status. With
            `PASSES_ON = True`, words that its parser does not know are `options.words`
    line    what it does, in one line
    """

    name: str
    module: str
    line: str


COMMANDS = (
    Command("demo", "demo", "run the demo study to its report: two CPU cores, some minutes"),
    Command("test", "test", "run the tests of a checkout"),
    Command("run", "run", "run a study: snakemake with the workflow of this installation"),
    Command("estimate", "estimate", "what a study will take: hours, tokens, memory, disk"),
    Command("show-prompts", "show_prompts", "what every model will be sent, id by id"),
    Command("status", "status", "how far a study is, from its files: progress, rates, what died"),
    Command("compare", "compare", "studies side by side: what differs, and whether it is real"),
    Command("grade", "grade", "grade answers in a file, without the workflow"),
    Command("import", "import_", "read and grade what another harness wrote"),
    Command("export", "export", "a finished study in the forms of other projects"),
    Command("publish", "publish", "send an exported folder to a hub, after a question"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says; returns the exit status.

    Bad input is one message and status 1, a word that is no command status 2, Ctrl-C status 130.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    asked = _parser().parse_args(words[:1])
    found = next((each for each in COMMANDS if each.name == asked.command), None)
    if found is None:
        _parser().print_help()
        return 2 if words else 0
    try:
        return _do(found, words[1:])
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


def _do(command: Command, words: list[str]) -> int:
    """Import the command's module, let it read its words, and run it."""
    module: Any = importlib.import_module(f"workflow_scripts.commands.{command.module}")
    parser = argparse.ArgumentParser(
        prog=f"s1flow {command.name}",
        description=module.HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.arguments(parser)
    if not getattr(module, "PASSES_ON", False):
        return module.run(parser.parse_args(words))
    options, rest = parser.parse_known_args(words)
    options.words = rest
    return module.run(options)


def _parser() -> argparse.ArgumentParser:
    width = max(len(each.name) for each in COMMANDS)
    lines = [f"  {each.name:<{width}}  {each.line}" for each in COMMANDS]
    parser = argparse.ArgumentParser(
        prog="s1flow",
        usage="s1flow [-h] [--version] COMMAND ...",
        description="Does my model get better when it thinks longer? A test-time-scaling study.",
        epilog="\n".join(["commands:", *lines, "", "`s1flow COMMAND --help` says what it takes."]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"s1flow {version()}")
    names = [each.name for each in COMMANDS]
    parser.add_argument("command", nargs="?", choices=names, metavar="COMMAND", help="see below")
    return parser


if __name__ == "__main__":
    sys.exit(main())
