"""The grader of s1flow, for other harnesses.

    >>> import s1flow
    >>> s1flow.grade(r"So it is \\boxed{0.5}.", gold=r"\\frac{1}{2}").correct
    True

Text in, verdict out: the answer that a response gives is found, compared with the gold, and the
verdict says why. Model text is data: it is compared in worker processes under a hard limit of time
and memory, and nothing ever evaluates it as code. What counts as equal is in docs/grading.md.
"""

from s1flow.grader import FORMATS, Grader, Verdict, grade, grade_many

__all__ = ["FORMATS", "Grader", "Verdict", "grade", "grade_many"]
