"""A small tokenizer and a benchmark that shares nothing with the tests' pools."""

from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from tests.curation.stage import load_exam


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tokenizer.json that counts words and marks."""
    folder = tmp_path_factory.mktemp("tokenizer")
    made = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture
def exam(tmp_path: Path) -> Path:
    """One question, unlike all others."""
    question = "How far does a snail crawl along a wet garden wall during one rainy night in May?"
    return load_exam(tmp_path, [{"problem": question, "answer": "3"}])
