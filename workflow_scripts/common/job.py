"""Frame of every entry script: arguments, log file, terminal, and errors that read well."""

import argparse
import itertools
import json
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from workflow_scripts.common import history
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.storage import StorageError, storage_fault, writing

log = logging.getLogger("s1flow")

ONE, MANY = "one", "many"
GRANTED: dict[str, dict[str, Any]] = {
    "threads": {"type": int, "default": 1, "metavar": "N", "help": "CPU threads to use"},
    "gpus": {"type": int, "default": 0, "metavar": "N", "help": "GPUs that were granted"},
    "operation": {"type": json.loads, "default": {}, "metavar": "JSON"},
}
INTERRUPTED = 130  # exit status after Ctrl-C, as of a shell


def arguments(
    doc: str | None, inputs: dict[str, str], outputs: Sequence[str], granted: Sequence[str] = ()
) -> argparse.Namespace:
    """Command line of an entry script.

    Every input and output is an option of the same name (`--pool FILE`); inputs marked MANY take a
    list, in which braces stand for every combination (`combinations`). `--settings` is the slice of
    the config that the rule uses, as JSON, parsed into a dict. Of GRANTED, which never change
    results, a script takes those that it names: `--threads` and `--gpus` are what the scheduler
    granted, `--operation` is JSON with settings of how the work is done.
    """
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, kind in inputs.items():
        option = "--" + name.replace("_", "-")
        if kind == MANY:
            parser.add_argument(option, nargs="*", action=_Paths, required=True, metavar="FILE")
        else:
            parser.add_argument(option, type=Path, required=True, metavar="FILE")
    for name in outputs:
        option = "--" + name.replace("_", "-")
        parser.add_argument(option, type=Path, required=True, metavar="FILE")
    parser.add_argument("--settings", type=json.loads, default={}, metavar="JSON")
    for name in granted:
        parser.add_argument(f"--{name}", **GRANTED[name])
    parser.add_argument(
        "--log", type=Path, metavar="FILE", help="write messages here, not to stderr"
    )
    return parser.parse_args()


class _Paths(argparse.Action):
    """A list of files, each word standing for its combinations."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        setattr(namespace, self.dest, [path for word in values for path in combinations(word)])


def combinations(pattern: str) -> list[Path]:
    """The files of a pattern in which `{a,b}` stands for a and b, the last choice fastest.

    A study's cells are products of models, benchmarks, methods and budgets: 5,400 names that no
    command line holds (bash takes 131,072 bytes) are one short pattern. Braces without a comma
    stand for themselves.
    """
    parts = re.split(r"\{([^{}]*,[^{}]*)\}", pattern)
    choices = [part.split(",") if i % 2 else [part] for i, part in enumerate(parts)]
    return [Path("".join(words)) for words in itertools.product(*choices)]


def run(
    work: Callable[[argparse.Namespace], None],
    doc: str | None,
    inputs: dict[str, str],
    outputs: Sequence[str],
    granted: Sequence[str] = (),
) -> None:
    """Parse the command line and call `work(args)`; exit 1 with one clear message on failure."""
    args = arguments(doc, inputs, outputs, granted)
    terminal = None
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    try:
        terminal = _redirect(args.log)
        history.started(args.log, args.settings)
        for name in outputs:
            with writing(getattr(args, name).parent):
                getattr(args, name).parent.mkdir(parents=True, exist_ok=True)
        with history.beating(args.log):
            work(args)
        history.ended(args.log, history.DONE)
    except UserError as error:
        _failed(args.log, str(error))
        _tell(terminal, f"error: {error}", args.log)
        log.error("error: %s", error)
        sys.exit(1)
    except KeyboardInterrupt as stop:
        message = f"interrupted{f'; {stop}' if str(stop) else ''}"
        _failed(args.log, message, history.INTERRUPTED)
        log.error(message)
        _tell(terminal, message, args.log)
        sys.exit(INTERRUPTED)
    except Exception as error:
        # A write of a library's own, such as a cache's. (No permission may be about reading.)
        fault = None if isinstance(error, PermissionError) else _refused(error, args, outputs)
        _failed(args.log, str(fault or f"{type(error).__name__}: {error}"))
        if fault is not None:
            _tell(terminal, f"error: {fault}", args.log)
            log.error("error: %s", fault)
            sys.exit(1)
        _tell(terminal, f"unexpected {type(error).__name__}: {error}", args.log)
        traceback.print_exc()
        sys.exit(1)


def _failed(path: Path | None, message: str, outcome: str = history.FAILED) -> None:
    """Note the failure; a disk that refuses the note must not hide the failure itself."""
    with suppress(OSError, UserError):
        history.ended(path, outcome, " ".join(message.split()))


def _refused(
    error: Exception, args: argparse.Namespace, outputs: Sequence[str]
) -> StorageError | None:
    """The storage fault behind an error that names its file, or else this job's first output."""
    named = getattr(error, "filename", None)
    places = [Path(named)] if named else [getattr(args, name) for name in outputs]
    return storage_fault(error, places[0] if places else Path.cwd())


def _redirect(path: Path | None) -> int | None:
    """Send this process's (and its children's) output to the log; return the old stderr."""
    if path is None:
        return None
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    terminal = os.dup(2)
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(target, 1)
    os.dup2(target, 2)
    os.close(target)
    os.environ["S1FLOW_TERMINAL_FD"] = str(terminal)
    os.environ["S1FLOW_TERMINAL_OF"] = str(os.getpid())
    os.set_inheritable(terminal, False)
    return terminal


def warn(message: str) -> None:
    """A warning in the log and, if the log is a file, on the terminal too.

    A process that this job started has not inherited the terminal: the log alone tells it.
    """
    log.warning("warning: %s", message)
    if os.environ.get("S1FLOW_TERMINAL_OF") == str(os.getpid()):
        os.write(int(os.environ["S1FLOW_TERMINAL_FD"]), f"\nwarning: {message}\n".encode())


def _tell(terminal: int | None, message: str, path: Path | None) -> None:
    if terminal is None:
        return  # the message went to stderr already
    where = f"\n  full log: {path}" if path else ""
    os.write(terminal, f"\n{message}{where}\n".encode())
