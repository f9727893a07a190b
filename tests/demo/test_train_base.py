"""The base model's text, packing and training, and that the shipped files are what they say."""

import itertools
import json
import math
import os
import random
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

from tests.gpu_machine import Machine, uuid
from workflow_scripts.common.errors import UserError
from workflow_scripts.demo import train_base
from workflow_scripts.demo.base_folder import WEIGHTS, sha256
from workflow_scripts.demo.base_text import REMARKS, documents, draw_document
from workflow_scripts.demo.packing import batches
from workflow_scripts.demo.pretraining import PretrainingSettings, loss_of, new_model, rate
from workflow_scripts.demo.traces import careful_pass, compose
from workflow_scripts.demo.world import draw_problem

BASE = Path(__file__).resolve().parents[2] / "data" / "demo" / "base"
MANIFEST = json.loads((BASE / "manifest.json").read_text())
TOKENIZER = Tokenizer.from_file(str(BASE / "tokenizer.json"))
TINY = PretrainingSettings(rows=4, length=128, layers=1, hidden=32, heads=1, kv_heads=1)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads cost more than they give for models this small."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_documents_are_fixed_by_their_seed() -> None:
    first, second = (list(itertools.islice(documents(seed), 50)) for seed in (3, 3))
    assert first == second
    assert first != list(itertools.islice(documents(4), 50))


def test_a_question_is_solved_only_under_a_heading() -> None:
    rng = random.Random(1)
    kinds = {"solved": 0, "sheet": 0, "drill": 0}
    for _ in range(1000):
        text = draw_document(rng)
        if text.startswith(("Problem: ", "Q: ")):
            kinds["solved"] += 1
            assert text.count("start ") == 1
            assert text.endswith("}\n")
        elif any(remark in text for remark in REMARKS):
            kinds["sheet"] += 1
            assert "So " not in text
            assert "boxed" not in text
        else:
            kinds["drill"] += 1
            assert "start" not in text
        assert "<|" not in text
    assert kinds["solved"] > 650
    assert kinds["sheet"] > 90
    assert kinds["drill"] > 70


def test_packing_keeps_documents_whole() -> None:
    batch = next(batches(TOKENIZER, 5, rows=8, length=640))
    texts = itertools.islice(documents(5), 1000)
    known = {tuple(TOKENIZER.encode(text + "<|endoftext|>").ids[:640]) for text in texts}
    found = 0
    for ids, marks in zip(batch.ids, batch.documents, strict=True):
        for mark in range(1, marks.max() + 1):
            assert tuple(ids[marks == mark].tolist()) in known
            found += 1
    assert found > 20
    assert np.array_equal(batch.ids[batch.documents == 0], 0 * batch.ids[batch.documents == 0])


def test_batches_are_fixed_by_their_seed() -> None:
    first, second = (next(batches(TOKENIZER, 9, 4, 256)) for _ in range(2))
    assert np.array_equal(first.ids, second.ids)
    assert np.array_equal(first.documents, second.documents)


def test_loss_does_not_see_across_documents() -> None:
    model = new_model(TINY, TOKENIZER.get_vocab_size())
    rng = np.random.default_rng(0)
    one, two = (torch.from_numpy(rng.integers(3, 500, (1, 12))) for _ in range(2))
    mark = torch.ones_like(one)
    apart = loss_of(model, one, mark) + loss_of(model, two, mark)
    together = loss_of(model, torch.cat([one, two], 1), torch.cat([mark, 2 * mark], 1))
    assert together.item() == pytest.approx(apart.item(), rel=1e-5)
    padded = loss_of(model, torch.cat([one, two], 1), torch.cat([mark, 0 * mark], 1))
    assert padded.item() == pytest.approx(loss_of(model, one, mark).item(), rel=1e-5)


def test_learning_rate() -> None:
    settings = PretrainingSettings(steps=1000, warmup_steps=100, learning_rate=1.0)
    assert rate(0, settings) == 0.01
    assert rate(99, settings) == 1.0
    assert rate(550, settings) == pytest.approx(0.51)
    assert rate(1000, settings) == pytest.approx(0.02)


def test_training_on_a_cpu_lowers_the_loss(tmp_path: Path) -> None:
    settings = {
        **{"steps": 101, "rows": 4, "length": 128, "rows_at_once": 2, "warmup_steps": 10},
        **{"layers": 1, "hidden": 32, "heads": 1, "kv_heads": 1, "intermediate": 64},
        **{"device": "cpu", "workers": 1, "learning_rate": 0.01},
    }
    manifest = tmp_path / "base" / "manifest.json"
    command = [sys.executable, "-m", "workflow_scripts.demo.train_base"]
    arguments = ["--manifest", str(manifest), "--settings", json.dumps(settings)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([*command, *arguments], check=True, capture_output=True, env=environment)
    facts = json.loads(manifest.read_text())
    (_, first), (steps, last) = facts["loss"]
    assert steps == 101
    assert last < first < math.log(512)
    assert facts["weights"] == {WEIGHTS: sha256(manifest.parent / WEIGHTS)}
    model = AutoModelForCausalLM.from_pretrained(manifest.parent)
    assert model.dtype == torch.bfloat16


def test_base_training_takes_a_gpu_that_nobody_uses(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine.has(f"0, {uuid(0)}, 70312, 98, Disabled")
    monkeypatch.setattr(torch.backends.cuda, "is_built", lambda: True)
    asked = Namespace(settings={"device": "cuda"}, manifest=tmp_path / "manifest.json")
    with pytest.raises(UserError, match="train_base asks for 1 .* GPU 0 busy: 70,312 MiB"):
        train_base.work(asked)


def test_shipped_weights_are_those_of_the_manifest() -> None:
    assert MANIFEST["weights"] == {WEIGHTS: sha256(BASE / WEIGHTS)}
    assert MANIFEST["loss"][-1][0] == MANIFEST["settings"]["steps"]
    assert MANIFEST["settings"] == PretrainingSettings().__dict__
    assert {"tokens", "seconds", "hardware", "data"} <= MANIFEST.keys()
    assert (BASE.parents[2] / MANIFEST["data"]).is_file()


def test_shipped_folder_is_small_and_complete() -> None:
    sizes = {path.name: path.stat().st_size for path in BASE.iterdir()}
    assert sum(sizes.values()) <= 20_000_000
    assert {"config.json", "generation_config.json", "tokenizer.json", WEIGHTS} <= sizes.keys()
    config = json.loads((BASE / "config.json").read_text())
    assert config["model_type"] == "qwen2"
    assert config["hidden_size"] // config["num_attention_heads"] == 32
    stops = json.loads((BASE / "generation_config.json").read_text())["eos_token_id"]
    assert stops == [TOKENIZER.token_to_id(token) for token in ("<|im_end|>", "<|endoftext|>")]


def test_shipped_model_computes() -> None:
    """It prefers the right result of a careful line, and of the last line of a coarse pass."""
    model = AutoModelForCausalLM.from_pretrained(BASE, dtype=torch.float32).eval()
    rng = random.Random(8)
    right = 0
    for _ in range(12):
        problem = draw_problem(rng, "tuple", 100, (4,))
        work = compose(problem, 0).text + "Wait, step by step.\n" + careful_pass(problem).text
        prompt = TOKENIZER.encode(f"Q: {problem.question}\nA:\n").ids
        ids = prompt + TOKENIZER.encode(work).ids
        with torch.no_grad():
            best = model(torch.tensor([ids])).logits[0].argmax(-1).tolist()
        coarse = len(TOKENIZER.encode(compose(problem, 0).text).ids)
        start = len(prompt) + coarse + len(TOKENIZER.encode("Wait, step by step.\n").ids)
        right += best[start - 1 : -1] == ids[start:]
    assert right >= 10
