import polars as pl

from workflow_scripts.reporting.figure_training import training_plot

LOG = pl.DataFrame(
    {
        "step": [1, 2],
        "loss": [2.0, 1.5],
        "learning_rate": [0.0, 1e-5],
        "grad_norm": [3.0, 1.0],
        "tokens_per_second": [20_000.0, 24_000.0],
        "mfu": [0.4, 0.5],
        "memory_mb": [51_200.0, 76_800.0],
    }
)


def test_every_quantity_has_a_panel_in_its_unit():
    data = training_plot({"a": LOG, "b": LOG}).data
    last = data[(data["step"] == 2) & (data["model"] == "a")].set_index("curve")["value"]
    assert last.to_dict() == {
        "Loss": 1.5,
        "Learning rate (1e-5)": 1.0,
        "Gradient norm": 1.0,
        "Tokens per second": 24_000.0,
        "Causal MFU (%)": 50.0,
        "Peak memory (GiB)": 75.0,
    }


def test_a_quantity_that_some_log_lacks_has_no_panel():
    curves = training_plot({"a": LOG, "b": LOG.drop("mfu", "memory_mb")}).data["curve"]
    assert set(curves.cat.categories) == {
        "Loss", "Learning rate (1e-5)", "Gradient norm", "Tokens per second"
    }  # fmt: skip
