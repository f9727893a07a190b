"""Train the demo's base model from nothing and write it beside its manifest.

The demo ships the result; this is for whoever wants to make it again. On one H100 the default
settings take a few minutes. On a CPU use fewer steps ({"steps": 300, "rows": 16, "workers": 1}):
the loss falls, but that is not yet a model that computes. Settings are the fields of
PretrainingSettings.
"""

import argparse
from dataclasses import replace
from importlib.metadata import version

from workflow_scripts.common.artifacts import write_json
from workflow_scripts.common.gpus import device_of
from workflow_scripts.common.job import log, run
from workflow_scripts.demo.records import settings_of


def work(args: argparse.Namespace) -> None:
    """Learn the tokenizer, train the model, save both with a manifest."""
    # Imported here: every process that makes text imports this module, and needs no torch.
    from workflow_scripts.demo.base_folder import WEIGHTS, save_base, sha256
    from workflow_scripts.demo.pretraining import PretrainingSettings, pretrain
    from workflow_scripts.demo.tokenizer import learn_tokenizer

    settings = settings_of(PretrainingSettings, args.settings, "train_base")
    settings = replace(settings, device=device_of(settings.device, 1, "train_base"))
    tokenizer = learn_tokenizer(settings.seed)
    result = pretrain(
        settings, tokenizer, lambda step, loss: log.info("step %d loss %.4f", step, loss)
    )
    folder = args.manifest.parent
    save_base(result.model, tokenizer, folder)
    facts = {
        "data": "workflow_scripts/demo/base_text.py",
        **result.facts,
        "transformers": version("transformers"),
        "weights": {WEIGHTS: sha256(folder / WEIGHTS)},
    }
    write_json(args.manifest, facts)


def main() -> None:
    """Command line."""
    run(work, __doc__, inputs={}, outputs=("manifest",))


if __name__ == "__main__":
    main()
