"""vLLM as it comes, on the prompts and lengths of the sweep benchmark."""

import argparse
import json
import subprocess
import sys
import time
from tempfile import NamedTemporaryFile
from typing import Any


def stock(args: argparse.Namespace, out: dict[str, Any]) -> None:
    """The same prompts and lengths through `vllm.LLM.generate` with vLLM's own defaults.

    What `vllm bench throughput` times, but greedy and without decoding to text. In a process of its
    own, on the same GPU, after the study's engine has ended; kernels are compiled by then.
    """
    start = time.perf_counter()
    from vllm import LLM, SamplingParams

    kind = {"enforce_eager": True, "dtype": "float32"} if args.small else {"dtype": "bfloat16"}
    llm = LLM(str(args.model), max_model_len=args.context, **kind)
    started = time.perf_counter() - start
    prompts = [{"prompt_token_ids": list(prompt)} for prompt, _ in out["prompts"]]
    params = [
        SamplingParams(temperature=0.0, max_tokens=n, ignore_eos=True, detokenize=False)
        for _, n in out["prompts"]
    ]
    llm.generate(prompts[:8], params[:8], use_tqdm=False)
    rates = []
    for _ in range(args.rounds):
        llm.reset_prefix_cache()
        start = time.perf_counter()
        found = llm.generate(prompts, params, use_tqdm=False)
        used = time.perf_counter() - start
        rates.append(sum(len(row.outputs[0].token_ids) for row in found) / used)
    print("STOCK " + json.dumps({"start_s": round(started, 1), "rates": rates}), flush=True)


def against_stock(args: argparse.Namespace, out: dict[str, Any]) -> None:
    """Run `stock` in a process of its own; our rate over its rate."""
    with NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"prompts": out["prompts"]}, file)
        file.flush()
        line = [sys.executable, "-m", "benchmarks.inference_sweep", "stock", *sys.argv[2:]]
        done = subprocess.run([*line, "--prompts", file.name], stdout=subprocess.PIPE, text=True)
    text = next((x for x in done.stdout.splitlines() if x.startswith("STOCK ")), None)
    if text is None:
        raise SystemExit(f"vLLM's own loop failed:\n{done.stdout[-2000:]}")
    found = json.loads(text[6:])
    out["stock"] = {
        "warm_start_s": found["start_s"],
        "rates": [round(x) for x in found["rates"]],
        "ratio": round(max(out["own_loop"]["ours"]) / max(found["rates"]), 4),
    }
    print(json.dumps(out["stock"]), flush=True)
