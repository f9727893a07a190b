"""Fine-tune a model on a tokenised set with DeepSpeed, resuming an interrupted run.

settings: see `TrainSettings` in recipe.py; `weights` and `checkpoints` are folders.
"""

import argparse
import sys
import time

from workflow_scripts.common.artifacts import write_csv, write_json
from workflow_scripts.common.job import ONE, log, run
from workflow_scripts.training import launch
from workflow_scripts.training.disk import Room
from workflow_scripts.training.model_card import read_card
from workflow_scripts.training.recipe import TrainSettings
from workflow_scripts.training.schedule import Schedule
from workflow_scripts.training.token_store import open_store

MODULE = "workflow_scripts.training.train"


def work(args: argparse.Namespace) -> None:
    started = time.perf_counter()
    granted = {"gpus": args.gpus, "threads": args.threads}
    settings = TrainSettings.from_json({**args.settings, **granted})
    device = launch.pick_device(settings.device)
    launch.prepare_environment(device)
    store, base = open_store(args.tokens, args.samples), read_card(args.model)
    if launch.rank() == 0:
        recipe = settings.recipe
        steps = Schedule(len(store), recipe.batch_size, recipe.epochs, settings.seed).total
        Room.of(settings, base.parameters).check(steps, settings.checkpoint_every)
    if settings.gpus > 1 and not launch.is_worker():
        if device == "cuda":
            launch.check_gpus(settings.gpus)
        launch.launch(MODULE, worker_arguments(sys.argv[1:]), settings.gpus)
        return
    # Imported here: DeepSpeed reads the environment when it is imported.
    from workflow_scripts.training.engine import leave_distributed
    from workflow_scripts.training.session import finetune

    outcome = finetune(settings, store, base, device, started)
    if outcome is not None:
        write_csv(args.curve, outcome.curve)
        write_json(args.manifest, outcome.manifest)
        write_json(args.trained, outcome.card.to_json())
        log.info(outcome.summary)
    leave_distributed()


def worker_arguments(arguments: list[str]) -> list[str]:
    """This command line without `--log`: workers write to the log that is open already."""
    if "--log" not in arguments:
        return arguments
    place = arguments.index("--log")
    return arguments[:place] + arguments[place + 2 :]


def main() -> None:
    run(
        work,
        __doc__,
        inputs={"tokens": ONE, "samples": ONE, "model": ONE},
        outputs=("trained", "manifest", "curve"),
    )


if __name__ == "__main__":
    main()
