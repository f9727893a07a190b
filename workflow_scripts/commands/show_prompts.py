"""`s1flow show-prompts`: what every model will be sent."""

import argparse

from workflow_scripts.commands.snakemake import become, enough_cores

PASSES_ON = True
HELP = """\
Show what every model will be sent under every method, id by id, coloured by who wrote it: on the
terminal and in prompts.html of the results folder. Needs no GPU. Words go to snakemake.

    s1flow show-prompts --configfile my.yaml"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """None of its own."""
    parser.usage = "s1flow show-prompts [-h] [snakemake's options]"


def run(options: argparse.Namespace) -> int:
    """Become snakemake with the rule of that name."""
    become(["show_prompts", *options.words, *enough_cores(options.words)])
