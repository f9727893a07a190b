"""Fail where results lie outside what the config expects, after the report was written."""

from argparse import Namespace

from workflow_scripts.analysis.expectations import broken, in_short
from workflow_scripts.analysis.tables import EXPECTATIONS, read_table
from workflow_scripts.common.artifacts import write_text
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.job import ONE, run


def work(args: Namespace) -> None:
    """Write how many were met, unless one that fails was not."""
    rows = read_table(args.expectations, EXPECTATIONS).to_dicts()
    failed = broken(rows)
    if failed:
        raise UserError(
            "results are not as the config expects (`expect:`):\n  "
            + "\n  ".join(failed)
            + f"\nThe report is whole: {args.summary.with_name('report.html')}. Find out why, or "
            "change the entry"
        )
    write_text(args.held, in_short(rows) + "\n")


def main() -> None:
    """Command line."""
    run(work, __doc__, {"expectations": ONE, "summary": ONE}, ("held",))


if __name__ == "__main__":
    main()
