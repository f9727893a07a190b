"""Learning rate, FLOPs, memory plan and DeepSpeed configuration."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import Qwen2Config

from tests.training import tiny
from workflow_scripts.common.errors import ConfigError
from workflow_scripts.training import cpu_linear, flops, preparation
from workflow_scripts.training.checkpoints import Saved
from workflow_scripts.training.compile_layers import should_compile
from workflow_scripts.training.cpu_linear import available, use_onednn
from workflow_scripts.training.deepspeed_config import deepspeed_config
from workflow_scripts.training.engine import Engine
from workflow_scripts.training.flops import ModelShape, model_shape
from workflow_scripts.training.memory_plan import MemoryPlan, gpu_plan
from workflow_scripts.training.recipe import Recipe, TrainSettings, learning_rate

# Qwen2.5-3B: parameters in matrix products (output matrix counted, lookup not), layers, 16 x 128.
QWEN_3B = ModelShape(3_085_697_024, 36, 2048)


def shape_3b() -> Qwen2Config:
    """Qwen2.5-3B's configuration."""
    return Qwen2Config(
        vocab_size=151_936,
        hidden_size=2048,
        intermediate_size=11_008,
        num_hidden_layers=36,
        num_attention_heads=16,
        num_key_value_heads=2,
    )


def settings(**changes: object) -> TrainSettings:
    return TrainSettings("m", "w", "c", **changes)  # type: ignore[arg-type]


def test_learning_rate_is_s1s() -> None:
    recipe = Recipe()
    rates = [learning_rate(recipe, step, 315) for step in range(315)]
    assert rates[0] == 0.0 and rates[8] == pytest.approx(5e-6) and rates[16] == 1e-5
    assert max(rates) == rates[16]
    assert rates[16 + 150] == pytest.approx(1e-5 * 0.5 * (1 + np.cos(np.pi * 150 / 299)))
    assert 0 < rates[-1] < 1e-9
    assert learning_rate(recipe, 315, 315) == pytest.approx(0.0, abs=1e-12)


def test_linear_and_constant_schedules() -> None:
    line = Recipe(schedule="linear", warmup_ratio=0.0)
    assert learning_rate(line, 5, 10) == pytest.approx(0.5e-5)
    assert learning_rate(Recipe(schedule="constant", warmup_ratio=0.0), 9, 10) == 1e-5


def test_flops_of_qwen_3b() -> None:
    per_token = QWEN_3B.per_sample(np.array([4700, 20_000])) / np.array([4700, 20_000])
    assert per_token / 1e9 == pytest.approx([20.59, 27.36], abs=0.01)


def test_shape_counts_the_tied_output_matrix_once() -> None:
    shape = model_shape(tiny.model())
    layer = 2 * 32 * 32 + 2 * 16 * 32 + 3 * 48 * 32
    assert shape == ModelShape(260 * 32 + 2 * layer, 2, 32)


def test_recomputes_only_what_does_not_fit() -> None:
    plan = MemoryPlan(100, 10, token_bytes=10, kept_bytes=1, free_bytes=1000)
    assert [plan.recompute(tokens) for tokens in (5, 10, 11, 20, 60)] == [0, 0, 2, 6, 10]
    for tokens in (11, 20, 50):
        deep = plan.recompute(tokens)
        held = tokens * ((10 - deep) * 10 + deep * 1)
        assert held <= 1000 < held + 9 * tokens


def test_modes_override_the_plan() -> None:
    assert MemoryPlan(1, 7, "all").recompute(1) == 7
    assert MemoryPlan(1, 7, "none", 10, 1, free_bytes=1).recompute(10**9) == 0


def test_plan_of_qwen_3b_on_80_gb() -> None:
    config = shape_3b()
    plan = gpu_plan("auto", "auto", config, True, 2048, 28.06e9)
    assert 8192 <= plan.micro_batch_tokens <= 11_000
    assert plan.recompute(plan.micro_batch_tokens) == 0
    assert 15 < plan.recompute(20_000) < 36
    assert gpu_plan(6000, "auto", config, True, 2048, 28.06e9).micro_batch_tokens == 6000


def test_packs_of_several_gpus_hold_their_share_of_a_step() -> None:
    roomy = partial(gpu_plan, "auto", "auto", shape_3b(), True, 2048, 90e9, None)
    assert roomy(1).micro_batch_tokens == 16_384
    assert roomy(4).micro_batch_tokens == 32_768
    assert roomy(4).recompute(32_768) == 0


def test_zero_3_prefers_large_packs_to_kept_activations() -> None:
    tight = partial(gpu_plan, "auto", "auto", shape_3b(), True, 2048, 30e9, None, 4)
    few = tight(6e9)
    assert few.micro_batch_tokens > 2 * tight(0.0).micro_batch_tokens
    assert 0 < few.recompute(few.micro_batch_tokens) <= 36


def test_a_gpus_plan_uses_what_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Free memory, bytes per token and the model's own slab, on a GPU that is stood in for."""
    model = SimpleNamespace(causal_lm=SimpleNamespace(config=shape_3b()), slab_rows=2048)
    engine = SimpleNamespace(
        module=model, stage=1, free_bytes=lambda _: 28.06e9, gathered_bytes=lambda: 0.0
    )
    monkeypatch.setattr(preparation, "probe_token_bytes", lambda *_: 70_000.0)
    gpu = torch.device("cuda")
    plan = preparation.memory_plan(settings(), engine, gpu, True, None)  # type: ignore[arg-type]
    assert (plan.token_bytes, plan.free_bytes) == (70_000.0, 28.06e9)
    expected = gpu_plan("auto", "auto", shape_3b(), True, 2048, 28.06e9, 70_000.0)
    assert plan == expected
    saved = Saved(3, "step-000003", 5000, {}, [])
    resumed = preparation.memory_plan(settings(), engine, gpu, True, saved)  # type: ignore[arg-type]
    assert resumed.micro_batch_tokens == 5000


@pytest.mark.parametrize("states", [{}, {0: "made"}])
def test_adams_states_are_counted_before_they_exist(
    monkeypatch: pytest.MonkeyPatch, states: dict[int, str]
) -> None:
    """8 bytes per parameter of this process: of its optimiser, or of its parts under ZeRO-3."""
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (1000, 2000))
    for stage, mine in ((1, 7), (3, 5)):
        engine = Engine.__new__(Engine)
        part = torch.nn.Parameter(torch.empty(0))
        part.ds_tensor = torch.zeros(5)  # type: ignore[attr-defined]
        module = SimpleNamespace(parameters=lambda part=part: [part])
        group = {"params": [torch.zeros(7 if stage == 1 else 0)]}
        optimizer = SimpleNamespace(state=states, param_groups=[group])
        engine.config, engine.stage = {}, stage
        engine.deepspeed = SimpleNamespace(module=module, optimizer=optimizer)
        expected = 1000 if states else 1000 - 8 * mine
        assert engine.free_bytes(torch.device("cuda")) == expected


def test_users_deepspeed_keys_win() -> None:
    chosen = {"zero_optimization": {"stage": 2}, "gradient_clipping": 0.3}
    config = deepspeed_config(settings(deepspeed=chosen), "cuda")
    assert config["zero_optimization"]["stage"] == 2 and config["gradient_clipping"] == 0.3
    assert config["data_types"]["grad_accum_dtype"] == "fp32" and config["bf16"]["enabled"]
    assert "bf16" not in deepspeed_config(settings(precision="fp32"), "cpu")


def test_compiled_layers_under_zero_3_do_without_deepspeeds_linear_function() -> None:
    for stage, compiled, found in ((3, True, False), (3, False, None), (1, True, None)):
        chosen = settings(deepspeed={"zero_optimization": {"stage": stage}})
        zero = deepspeed_config(chosen, "cuda", compiled)["zero_optimization"]
        assert zero.get("memory_efficient_linear") is found


@pytest.mark.parametrize(
    "chosen",
    [
        {"zero_optimization": {"stage": 0}},
        {"gradient_accumulation_steps": 4},
        {"fp16": {"enabled": True}},
        {"scheduler": {"type": "WarmupLR"}},
    ],
)
def test_deepspeed_keys_that_cannot_work_are_refused(chosen: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="training.deepspeed"):
        deepspeed_config(settings(deepspeed=chosen), "cuda")


def test_compile_where_it_pays() -> None:
    assert should_compile("auto", "cuda", "cudnn")
    assert not should_compile("auto", "cpu", "sdpa")
    assert not should_compile("off", "cuda", "varlen")
    with pytest.raises(ConfigError, match="compile"):
        should_compile("on", "cuda", "sdpa")


@pytest.mark.skipif(not available(), reason="this torch has no oneDNN")
def test_a_cpus_peak_is_that_of_the_kernel_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's own product is half as fast in float32: MFU would exceed 100 %."""
    calls = []

    def product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        calls.append(a.shape)
        return a

    monkeypatch.setattr(cpu_linear, "product", product)
    monkeypatch.setattr(flops, "PEAK_SECONDS", 0.01)
    peak = flops.device_peak(torch.device("cpu"), torch.float32)
    assert len(calls) > 1 and peak.rate > 0
    calls.clear()
    flops.device_peak(torch.device("cpu"), torch.bfloat16)
    assert not calls


@pytest.mark.skipif(not available(), reason="this torch has no oneDNN")
def test_onednn_layers_compute_the_same() -> None:
    ids = torch.arange(40)[None]
    results = []
    for route in (False, True):
        model = tiny.model()
        if route:
            assert use_onednn(model) == 15
        loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        results.append({name: p.grad for name, p in model.named_parameters()} | {"loss": loss})
    for name, expected in results[0].items():
        torch.testing.assert_close(results[1][name], expected, rtol=1e-4, atol=1e-6, msg=name)
