"""`s1flow run`: snakemake with the workflow of this installation."""

import argparse

from workflow_scripts.commands.snakemake import become

PASSES_ON = True
HELP = """\
Run a study. Every word goes to snakemake as it is; outside a checkout the workflow that came with
the installation is used, and results lie under the folder that you are in.

    s1flow run report --cores 8                        # config.yaml of this folder, if it has one
    s1flow run report -n --configfile my.yaml          # what would run
    s1flow run rehearse --cores 8                      # the same study in minutes, with sizes cut
    s1flow run report --cores 8 --resources gpu=4

Put targets before --resources and --configfile: these take every word after them.
`snakemake --help` lists all options."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """None of its own."""
    parser.usage = "s1flow run [TARGET ...] [snakemake's options]"


def run(options: argparse.Namespace) -> int:
    """Become snakemake."""
    become(options.words)
