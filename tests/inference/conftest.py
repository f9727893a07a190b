"""Shared fixtures: one tiny tokenizer per run."""

from pathlib import Path

import pytest

from tests.inference import world
from workflow_scripts.inference.prompts import Vocabulary, load_vocabulary


@pytest.fixture(scope="session")
def model_json(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """model.json of a folder with a tokenizer and no weights."""
    return world.write_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def vocabulary(model_json: Path) -> Vocabulary:
    """The tiny vocabulary with s1's delimiters."""
    return load_vocabulary({"name": "tiny", "path": str(model_json.parent)}, {})
