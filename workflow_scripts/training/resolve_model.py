"""Find a pretrained model (local folder or hub id), check it, and write its `model.json`.

settings: one entry of `models`: {"name", "title", "path", "revision"}.
"""

import argparse
from pathlib import Path

from workflow_scripts.common.artifacts import write_json
from workflow_scripts.common.errors import ConfigError
from workflow_scripts.common.job import log, run
from workflow_scripts.training.hub import locate
from workflow_scripts.training.model_card import ModelCard
from workflow_scripts.training.model_files import describe


def work(args: argparse.Namespace) -> None:
    settings = args.settings
    for key in ("name", "path"):
        if not settings.get(key):
            raise ConfigError(f"models: an entry has no `{key}` ({settings})")
    source = locate(settings["path"], settings.get("revision"))
    card = ModelCard(
        name=settings["name"],
        path=portable(source.folder),
        revision=source.revision,
        trained=False,
        base=None,
        **describe(source.folder),
    )
    write_json(args.model, card.to_json())
    log.info("%s: %s, %s parameters", card.name, card.architecture, f"{card.parameters:,}")


def portable(folder: Path) -> str:
    """The folder relative to the working directory where it lies inside it, else absolute."""
    resolved, here = folder.resolve(), Path.cwd().resolve()
    return str(resolved.relative_to(here) if resolved.is_relative_to(here) else resolved)


def main() -> None:
    run(work, __doc__, inputs={}, outputs=("model",))


if __name__ == "__main__":
    main()
