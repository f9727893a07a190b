"""Answers graded per second, with deadlines on, against one forked process per answer.

    python -m benchmarks.grading_rate [--pairs 4000] [--forked 400] [--threads 2] [--fixtures FILE]

Every pair is distinct (no memo hit) and mathematical: numbers, fractions, surds, tuples, intervals,
polynomials, equations, units; about half of them are equal. Both sides use the same comparison and
the same 5 s deadline; the peer forks a process that has everything imported already, two at a time,
which is the cheapest form of a process per answer.
"""

import argparse
import multiprocessing
import random
import time
from collections import deque
from multiprocessing.connection import Connection

from workflow_scripts.grading import tasks
from workflow_scripts.grading.batch import Limits, grade_all
from workflow_scripts.grading.grader import Question, compare, find

SEED = 42


def pair(rng: random.Random) -> tuple[str, str]:
    """One (gold, candidate) pair in the forms of MATH answers."""
    a, b, c = rng.randint(2, 9999), rng.randint(2, 999), rng.randint(2, 99)
    near = 0 if rng.random() < 0.5 else rng.randint(1, 9)
    forms = (
        (f"{a}", f"{a + near}"),
        (f"{a}{b:03d}", rf"{a},\!{b + near:03d}"),
        (rf"\frac{{{a}}}{{{b}}}", f"{a + near}/{b}"),
        (rf"\frac{{{a}}}{{{b}}}", rf"\dfrac{{{a + near}}}{{{b}}}"),
        (rf"{a}\sqrt{{{c}}}", rf"{a + near} \cdot \sqrt {{{c}}}"),
        (rf"\frac{{{a}\pi}}{{{c}}}", rf"\frac{{{a + near}}}{{{c}}}\pi"),
        (f"({a},{b})", rf"\left( {a + near}, {b} \right)"),
        (f"({a},{a + b}]", f"{a + near}<x \\le {a + b}"),
        (f"{a}x^2+{b}x-{c}", f"{b}x+{a + near}x^{{2}}-{c}"),
        (f"(x+{a})(x-{b})", f"x^2+{a - b}x-{a * b + near}"),
        (f"y={a}x+{b}", f"{a + near}x-y+{b}=0"),
        (rf"{a}\text{{ cm}}^2", f"{a + near} cm^2"),
        (f"{a},{b},{c}", f"{c}, {a + near}, {b}"),
        (f"{a}+{b}i", f"{b}i+{a + near}"),
        (rf"\{{{a},{b}\}}", rf"\{{{b}, {a + near}\}}"),
    )
    return rng.choice(forms)


def distinct_pairs(count: int) -> list[tuple[str, str]]:
    """`count` different pairs, the same in every run."""
    rng = random.Random(SEED)
    found: dict[tuple[str, str], None] = {}
    while len(found) < count:
        found[pair(rng)] = None
    return list(found)


def pooled(pairs: list[tuple[str, str]], threads: int) -> tuple[float, int]:
    """Seconds (workers' start included) and verdicts "equal" of the grader's own pool."""
    questions = [Question(gold, "math") for gold, _ in pairs]
    start = time.perf_counter()
    verdicts = grade_all(questions, [text for _, text in pairs], Limits(threads=threads))
    return time.perf_counter() - start, sum(verdict.verdict for verdict in verdicts)


def _one(gold: str, text: str, end: Connection) -> None:
    question = Question(gold, "math")
    end.send(compare(question, find(text, question)).equal)
    end.close()


def forked(pairs: list[tuple[str, str]], threads: int, timeout: float) -> tuple[float, int]:
    """The same with one forked process per answer, `threads` at a time."""
    context = multiprocessing.get_context("fork")
    running: deque[tuple] = deque()
    equal = 0
    start = time.perf_counter()
    for gold, text in [*pairs, *[("", "")] * threads]:
        if len(running) >= threads:
            process, receiver = running.popleft()
            equal += bool(receiver.poll(timeout) and receiver.recv())
            process.kill()
            process.join()
        if gold:
            receiver, sender = context.Pipe(duplex=False)
            process = context.Process(target=_one, args=(gold, text, sender))
            process.start()
            sender.close()
            running.append((process, receiver))
    return time.perf_counter() - start, equal


def main() -> None:
    """Print both rates and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=4000)
    parser.add_argument("--forked", type=int, default=400)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    pairs = distinct_pairs(args.pairs)
    seconds, equal = pooled(pairs, args.threads)
    rate = len(pairs) / seconds
    print(f"pool: {len(pairs)} pairs in {seconds:.2f} s, {rate:.0f}/s, {equal} equal")
    tasks.warm_up()  # the forks inherit warm parser caches, too
    few = pairs[: args.forked]
    seconds, equal = forked(few, args.threads, Limits().timeout)
    peer = len(few) / seconds
    print(f"fork per answer: {len(few)} pairs in {seconds:.2f} s, {peer:.0f}/s, {equal} equal")
    print(f"ratio: {rate / peer:.1f}")


if __name__ == "__main__":
    main()
