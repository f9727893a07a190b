"""Reading texts with two models of one shape: against plain forward passes of the same batches.

    python -m benchmarks.shift_reading [--small] [--texts 40]

Needs torch, transformers and numpy alone. Two Qwen2.5-3B of random weights, the second a slightly
changed copy of the first; texts of s1's lengths. First what is read is checked against whole
float32 logits of both models; then both are timed, alternately: transformers' own forward pass with
all logits, of which nothing is kept, and ours, to ranks, log-probabilities, entropies and KL on
disk. A run that is killed halfway has to go on without reading a finished text again. `--small` is
a shape for a CPU.
"""

import argparse
import contextlib
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from workflow_scripts.shift.measuring import Kept, Measured, Pair, Task
from workflow_scripts.shift.scoring import Reader, Text, batches, compared, plain_pass

SHAPES = {
    False: {
        "vocab_size": 151_936, "hidden_size": 2048, "intermediate_size": 11_008,
        "num_hidden_layers": 36, "num_attention_heads": 16, "num_key_value_heads": 2,
        "max_position_embeddings": 32_768, "tie_word_embeddings": True, "rope_theta": 1e6,
    },
    True: {
        "vocab_size": 4096, "hidden_size": 128, "intermediate_size": 384, "num_hidden_layers": 4,
        "num_attention_heads": 4, "num_key_value_heads": 2, "tie_word_embeddings": True,
        "max_position_embeddings": 32_768,
    },
}  # fmt: skip
PROMPT = 160  # ids in front of what the model wrote
AGAIN = 8  # texts that the base reads twice
CHANGE = 0.02  # of a weight's own spread: how far the second model is from the first


def readers(small: bool, device: str, dtype: torch.dtype) -> tuple[Reader, Reader]:
    """The changed model, and its base."""
    made = []
    shape = SHAPES[small]
    for changed in (True, False):
        torch.manual_seed(0)
        with torch.device(device):
            model = Qwen2ForCausalLM(Qwen2Config(**shape)).to(dtype).eval()
        with torch.no_grad():
            for parameter in model.parameters() if changed else ():
                noise = torch.randn_like(parameter) * (CHANGE * parameter.float().std())
                parameter.add_(noise.nan_to_num(0.0))
        made.append(Reader(model, shape["vocab_size"] - 271 * (not small)))
    return made[0], made[1]


def texts(count: int, size: int, longest: int) -> list[Text]:
    """Random ids; lengths as of traces: log-normal, median 3,500 of a 16,384 that is the cap."""
    draws = np.random.default_rng(0)
    lengths = (longest * 0.21 * np.exp(draws.normal(0, 0.8, count))).astype(int)
    lengths = np.clip(lengths, longest // 64, longest - PROMPT)
    return [
        Text(
            draws.integers(0, size, PROMPT + length).astype(np.int32),
            np.arange(PROMPT, PROMPT + length),
        )
        for length in lengths
    ]


def check(small: bool, device: str) -> None:
    """Largest differences from whole float32 logits of three texts, both models in float32."""
    model, base = readers(small, device, torch.float32)
    some = texts(3, model.size, 2048)
    worst = {"kl": 0.0, "logprob": 0.0, "rank": 0, "share of the rank": 0.0}
    rows = [reader.rows(some) for reader in (model, base)]
    for i, text in enumerate(some):
        found = compared(model, base, rows[0][i], rows[1][i], text, slab=100)
        ids = torch.from_numpy(text.ids.astype(np.int64))[None].to(device)
        with torch.inference_mode():
            one, two = (
                reader.causal_lm(input_ids=ids).logits[0, text.places - 1, : reader.size].double()
                for reader in (model, base)
            )
        first, second = one.log_softmax(-1), two.log_softmax(-1)
        goal = torch.from_numpy(text.targets.astype(np.int64)).to(device)[:, None]
        kl = (first.exp() * (first - second)).sum(-1).cpu().numpy()
        hit = first.gather(1, goal)
        rank = 1 + (first > hit).sum(-1).cpu().numpy()
        worst["kl"] = max(worst["kl"], float(np.abs(kl - found["kl"]).max()))
        gap = np.abs(hit[:, 0].cpu().numpy() - found["logprob"]).max()
        worst["logprob"] = max(worst["logprob"], float(gap))
        off = np.abs(rank - found["rank"])  # random ids rank 1 to 152,000, a rounding apart
        worst["rank"] = max(worst["rank"], int(off.max()))
        worst["share of the rank"] = max(worst["share of the rank"], float((off / rank).max()))
    print(f"against whole float32 logits, 3 texts: largest difference {worst}", flush=True)


def timed(work: Callable[[], None], device: str) -> tuple[float, float]:
    """Seconds and, on a GPU, the most memory in GiB."""
    if device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    work()
    if device == "cuda":
        torch.cuda.synchronize()
    peak = torch.cuda.max_memory_allocated() / 2**30 if device == "cuda" else float("nan")
    return time.perf_counter() - start, peak


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A store that goes away."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def compare(args: argparse.Namespace, device: str, dtype: torch.dtype) -> None:
    """Tokens a second of both, and what ours takes over the plain pass."""
    model, base = readers(args.small, device, dtype)
    some = texts(args.texts, model.size, args.longest)
    lengths = [len(text.ids) for text in some]
    those = [[some[i] for i in batch] for batch in batches(lengths)]
    tokens = 2 * sum(lengths)

    def plain() -> None:
        for reader in (model, base):
            for batch in those:
                plain_pass(reader, batch)

    def decoder() -> None:
        for reader in (model, base):
            for batch in those:
                reader.rows(batch)

    def ours(again: int) -> None:
        with folder() as place:
            measured = Measured(Pair(lambda: (model, base)), Kept(place))
            measured.run([Task(text, i < again) for i, text in enumerate(some)], "pair", "read")

    print(f"{args.texts} texts, {tokens // 2:,} tokens, {len(those)} batches, {dtype}", flush=True)
    works = {
        "plain forward pass": plain, "decoder alone": decoder, "ours": lambda: ours(0),
        f"ours, {AGAIN} texts twice": lambda: ours(AGAIN),
    }  # fmt: skip
    best: dict[str, float] = {}
    for turn in range(3):  # the first warms up
        for name, work in works.items():
            seconds, peak = timed(work, device)
            if turn:
                best[name] = min(seconds, best.get(name, seconds))
            print(f"{name}: {seconds:.2f} s, peak {peak:.1f} GiB", flush=True)
    for name, seconds in best.items():
        print(
            f"{name}: {tokens / seconds:,.0f} tokens/s, "
            f"{seconds / best['plain forward pass']:.3f} of the plain forward pass"
        )


def read_all(args: argparse.Namespace, device: str, dtype: torch.dtype) -> None:
    """One run over the store `--store`; prints how many texts it found there."""
    model, base = readers(args.small, device, dtype)
    some = texts(args.texts, model.size, args.longest)
    pair = Pair(lambda: (model, base))
    measured = Measured(pair, Kept(Path(args.store)))
    print("ready", flush=True)
    found = measured.run([Task(text) for text in some], "pair", "read")
    total = float(sum(arrays["kl"].sum(dtype=np.float64) for arrays in found))
    print(json.dumps({"reused": measured.reused, "read": pair.read, "kl": total}), flush=True)


def killed(args: argparse.Namespace) -> None:
    """A run is killed when half of its texts are done, and goes on; then one without a kill."""
    words = [sys.executable, "-m", "benchmarks.shift_reading", "--texts", str(args.texts)]
    words += ["--longest", str(args.longest), *(["--small"] if args.small else [])]
    with folder() as place, folder() as other:
        process = subprocess.Popen([*words, "--store", str(place)], stderr=subprocess.DEVNULL)
        while len(list(place.glob("*.npz"))) < args.texts // 2 and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        kept = len(list(place.glob("*.npz")))
        told = [
            subprocess.run([*words, "--store", str(where)], capture_output=True, text=True)
            for where in (place, other)
        ]
    resumed, whole = (json.loads(done.stdout.splitlines()[-1]) for done in told)
    print(f"killed with {kept} of {args.texts} texts kept; then {resumed}; undisturbed {whole}")
    assert resumed["reused"] == kept and abs(resumed["kl"] - whole["kl"]) <= 1e-3 * whole["kl"]


def main() -> None:
    """Check, time, kill."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # pyright: ignore[reportOptionalMemberAccess]
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--texts", type=int, default=40)
    parser.add_argument("--longest", type=int, default=16_384)
    parser.add_argument("--store", default="")
    args = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    if args.store:
        read_all(args, device, dtype)
        return
    if device == "cuda":
        print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}", flush=True)
    check(args.small, device)
    compare(args, device, dtype)
    killed(args)


if __name__ == "__main__":
    main()
