"""`s1flow estimate`: what a study will take, before it runs."""

import argparse

from workflow_scripts.commands.snakemake import become, enough_cores

PASSES_ON = True
HELP = """\
Say what the configured study will take: steps, tokens, GPU hours, memory, disk. A few questions are
decoded with each pretrained model to measure its rate; what they gave is kept for the study.
Words that are not listed here go to snakemake.

    s1flow estimate --training       # the fine-tune alone: seconds, needs neither GPU nor weights
    s1flow estimate --configfile my.yaml --cores 8"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The part that needs no GPU."""
    parser.usage = "s1flow estimate [-h] [--training] [snakemake's options]"
    parser.add_argument(
        "--training", action="store_true", help="the fine-tune alone, from the config; nothing runs"
    )


def run(options: argparse.Namespace) -> int:
    """Become snakemake with the rule of that name."""
    target = "estimate_training" if options.training else "estimate"
    become([target, *options.words, *enough_cores(options.words)])
