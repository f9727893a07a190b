"""`s1flow grade`: the grader alone, from a file to a file."""

from workflow_scripts.grading.__main__ import HELP, arguments, run

__all__ = ["HELP", "arguments", "run"]
