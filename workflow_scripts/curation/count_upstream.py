"""Count what a pool took before it was downloaded: tokens of teacher, solvers and graders.

--settings: `CountTokensSettings`.
"""

import argparse

from workflow_scripts.common.artifacts import write_json
from workflow_scripts.common.job import ONE, log, run
from workflow_scripts.common.settings.base import read
from workflow_scripts.common.settings.curation import CountTokensSettings
from workflow_scripts.curation.upstream import upstream_work


def work(args: argparse.Namespace) -> None:
    """Count the tokens of every row's texts."""
    settings = read(CountTokensSettings, args.settings, "--settings")
    found = upstream_work(args.pool, settings.tokenizer)
    write_json(args.upstream, found.to_json())
    for one in found.work:
        log.info(
            "%s %s: %d rows, %d tokens read, %d written", one.kind, one.name, one.rows, one.read,
            one.written,
        )  # fmt: skip


def main() -> None:
    """Command line of rule `count_upstream`."""
    run(work, __doc__, inputs={"pool": ONE}, outputs=("upstream",))


if __name__ == "__main__":
    main()
