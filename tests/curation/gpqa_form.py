"""A CSV in the form of the published GPQA files, with questions of our own."""

import csv
from pathlib import Path

PLAIN = ("Record ID", "High-level domain", "Subdomain", "Question", "Correct Answer")
WRONG = ("Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3")
WRITER = ("Explanation", "Revision Comments (from Question Writer)", "Question Writer")
REVIEW = ("Probability Correct", "Answered Correctly", "Feedback", "Self-reported time (minutes)")
COLUMNS = (
    *(f"Pre-Revision {name}" for name in ("Question", "Correct Answer", *WRONG, "Explanation")),
    *PLAIN,
    *WRONG,
    *WRITER,
    *(f"{name}_{who}_{i}" for who in ("EV", "NEV") for i in (1, 2, 3) for name in REVIEW),
    *(f"Validator Answered Correctly_{i}" for i in range(35)),
)

# What is odd, by row: question, right option, wrong options.
EQUAL_WRONG = ("How many legs has a spider?", "eight", ("six", "six ", "ten"))
EQUAL_RIGHT = (
    "Which gas do plants take in?",
    "carbon dioxide",
    ("oxygen", "carbon dioxide", "neon"),
)
CASE_ONLY = ("Which symbol is that of cobalt?", "Co", ("CO", "Cu", "Cr"))
ENTITIES = ("For which x is 2x &lt; 4?", "x &lt; 2", ("x &gt; 2", "x = 2", "x &#8804; 2"))
BREAKS = (
    'A cup, "large",\r\nholds 200 ml.\r\n\r\nHow much do two hold?',
    "400 ml\n",
    ("\n200 ml", "300 ml,\nor less", "500 ml"),
)
NULL_OPTION = ("Which is the first month?", "January", ("May", "", "July"))
ROWS = (EQUAL_WRONG, EQUAL_RIGHT, CASE_ONLY, ENTITIES, BREAKS, NULL_OPTION)


def write_gpqa(path: Path, rows: tuple = ROWS, plain: int = 0) -> Path:
    """The odd rows, then `plain` ordinary ones; CRLF line ends, as published."""
    more = [
        (f"What is {i} + {i}?", str(2 * i), (str(2 * i + 1), "0.5", "0.1")) for i in range(plain)
    ]
    with path.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, COLUMNS, restval="")
        writer.writeheader()
        for i, (question, right, wrong) in enumerate([*rows, *more]):
            row = {"Record ID": f"rec{i:03}", "Question": question, "Correct Answer": right}
            domain = {} if i == 1 else {"High-level domain": "Biology", "Subdomain": "Cells"}
            writer.writerow(row | domain | dict(zip(WRONG, wrong, strict=True)))
    return path
