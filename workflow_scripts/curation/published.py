"""Counts that the s1 paper and its released notebook report (arXiv 2501.19393), as quoted facts."""

# Rows that remain after a stage (section 3.1).
FUNNEL: dict[str, int] = {
    "pool": 59_029,
    "completeness": 54_116,
    "format": 51_581,
    "difficulty": 24_496,
    "s1k": 1_000,
}

# Rows per source in the 59K pool (Table 7).
POOL_SOURCES: dict[str, int] = {
    "NuminaMATH": 30_660,
    "MATH": 11_999,
    "OlympicArena": 4_250,
    "OmniMath": 4_238,
    "AGIEval": 2_385,
    "xword": 999,
    "OlympiadBench": 896,
    "AIME": 890,
    "TheoremQA": 747,
    "USACO": 519,
    "JEEBench": 515,
    "GPQA": 348,
    "SciEval": 227,
    "s1-prob": 182,
    "LiveCodeBench": 151,
    "s1-teasers": 23,
}

# Rows per source in s1K, counted from the notebook's printed listing.
SET_SOURCES: dict[str, int] = {
    "AIME": 305,
    "NuminaMATH": 278,
    "GPQA": 107,
    "OmniMath": 83,
    "MATH": 74,
    "OlympiadBench": 63,
    "JEEBench": 50,
    "TheoremQA": 24,
    "OlympicArena": 5,
    "xword": 3,
    "s1-prob": 3,
    "SciEval": 2,
    "AGIEval": 2,
    "s1-teasers": 1,
}

# Rows per domain in s1K (Table 6): the domains that the paper names.
SET_DOMAINS: dict[str, int] = {
    "Geometry": 109,
    "Number theory": 98,
    "Combinatorics": 75,
    "Real functions": 43,
    "Biology": 41,
    "Complex functions": 32,
    "Quantum theory": 32,
    "Field theory": 28,
    "Calculus of variations": 28,
    "Difference equations": 24,
    "Electromagnetic theory": 23,
    "Group theory": 22,
    "Linear algebra": 22,
    "Probability": 20,
    "Algebraic systems": 19,
    "Mechanics": 19,
    "Thermodynamics": 19,
    "Differential equations": 18,
    "Computer science": 18,
    "Numerical analysis": 18,
    "Calculus": 17,
    "Algebraic structures": 17,
    "Astronomy": 16,
}

# The same domains as the MSC 2020 and other releases spell them.
DOMAIN_SPELLINGS: dict[str, tuple[str, ...]] = {
    "Biology": ("Biology and other natural sciences",),
    "Complex functions": ("Functions of a complex variable",),
    "Field theory": ("Field theory and polynomials",),
    "Calculus of variations": ("Calculus of variations and optimal control; optimization",),
    "Difference equations": ("Difference and functional equations",),
    "Electromagnetic theory": ("Optics, electromagnetic theory",),
    "Group theory": ("Group theory and generalizations",),
    "Linear algebra": ("Linear and multilinear algebra; matrix theory",),
    "Probability": ("Probability theory", "Probability theory and stochastic processes"),
    "Algebraic systems": ("General algebraic systems",),
    "Mechanics": ("Mechanics of particles and systems",),
    "Thermodynamics": ("Classical thermodynamics, heat transfer",),
    "Differential equations": ("Ordinary differential equations",),
    "Algebraic structures": ("Order, lattices, ordered algebraic structures",),
    "Astronomy": ("Astronomy and astrophysics",),
}


def set_domains() -> dict[str, int]:
    """SET_DOMAINS under every spelling of a domain."""
    spelt = dict(SET_DOMAINS)
    for name, others in DOMAIN_SPELLINGS.items():
        spelt |= dict.fromkeys(others, SET_DOMAINS[name])
    return spelt
