"""Sources and domains of the demo's pool, spelt as in the 59K releases."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """One source of the pool.

    name      as spelt in `source_type`
    rows      clean and easy rows in a pool of 8,000
    cot_type  the release's coarse kind
    forms     forms of its questions (see world.Problem), drawn uniformly
    layout    how options are written below a choice
    """

    name: str
    rows: int
    cot_type: str
    forms: tuple[str, ...]
    layout: str = ""


MATH = ("fraction", "tuple", "set", "surd")
MIXED = (*MATH, "integer")
LETTERED = "({letter}) {value}"  # below the line "Answer Choices:"
BRACKET = "{letter}) {value}"

SOURCES = (
    Source("AI-MO/NuminaMath-CoT/aops_forum", 1200, "math", MIXED),
    Source("AI-MO/NuminaMath-CoT/olympiads", 900, "math", MIXED),
    Source("AI-MO/NuminaMath-CoT/cn_k12", 260, "math", MIXED),
    Source("qfq/openaimath/Algebra", 260, "math", MATH),
    Source("qfq/openaimath/Intermediate Algebra", 230, "math", MATH),
    Source("simplescaling/openaimath/Precalculus", 180, "math", MATH),
    Source("qfq/openaimath/Number Theory", 180, "math", MATH),
    Source("qfq/openaimath/Geometry", 130, "math", MATH),
    Source("qfq/openaimath/Counting & Probability", 130, "math", MATH),
    Source("qfq/openaimath/Prealgebra", 150, "math", MATH),
    Source("GAIR/OlympicArena/Math", 160, "math", MIXED),
    Source("GAIR/OlympicArena/Physics", 160, "science", MIXED),
    Source("KbsdJames/Omni-MATH", 380, "math", MIXED),
    Source("baber/agieval/aqua_rat", 170, "math", ("choice",), BRACKET),
    Source("baber/agieval/sat_math", 110, "math", ("choice",), BRACKET),
    Source("Hothan/OlympiadBench/Open-ended/Math", 120, "math", MIXED),
    Source("Hothan/OlympiadBench/Open-ended/Physics", 60, "science", MIXED),
    Source("qq8933/AIME_1983_2024", 560, "math", ("integer",)),
    Source("TIGER-Lab/TheoremQA/integer", 110, "math", ("integer",)),
    Source("daman1209arora/jeebench/math", 90, "math", ("choice",), BRACKET),
    Source("daman1209arora/jeebench/phy", 70, "science", ("choice",), BRACKET),
    Source("daman1209arora/jeebench/chem", 60, "science", ("choice",), BRACKET),
    Source("Idavidrein/gpqa", 440, "science", ("choice",), LETTERED),
    Source("OpenDFM/SciEval/physics/filling", 50, "science", MIXED),
    Source("qfq/stats_qual", 60, "math", MIXED),
    Source("qfq/quant", 20, "math", MIXED),
)

# A source whose questions all open with one long instruction, like a crossword's.
BOILERPLATE_SOURCE = Source("0xharib/xword1", 240, "crossword", ("integer",))
BOILERPLATE = (
    "Solve the puzzle below by following every lettered line from first to last and then give the "
    "value that remains."
)

# Sources without ground truth: their grades are null.
UNGRADED = (
    Source("codegenning/usacobench_formatted", 160, "coding", ("integer",)),
    Source("LiveCodeBench/test-output", 60, "coding", ("integer",)),
)

# First-level labels of the Mathematics Subject Classification, as the releases spell them, from the
# commonest to the rarest.
DOMAINS = (
    "Number theory",
    "Geometry",
    "Combinatorics",
    "Real functions",
    "Algebraic systems",
    "Linear algebra",
    "Probability theory",
    "Difference and functional equations",
    "Functions of a complex variable",
    "Field theory and polynomials",
    "Mechanics of particles and systems",
    "Ordinary differential equations",
    "Calculus of variations",
    "Quantum theory",
    "Optics and electromagnetic theory",
    "Thermodynamics and heat transfer",
    "Biology and other natural sciences",
    "Numerical analysis",
    "Computer science",
    "Group theory",
    "Statistics",
    "Sequences and series",
    "Game theory and economics",
    "Astronomy and astrophysics",
    "Fluid mechanics",
    "Convex and discrete geometry",
    "Differential geometry",
    "Operations research",
    "Relativity and gravitational theory",
    "Topology",
    "Measure and integration",
    "Mathematical logic",
    "Information and communication theory",
    "Approximations and expansions",
    "Order and lattices",
    "Geophysics",
)
SKEW = 0.9  # weight of the k-th domain is k ** -SKEW
