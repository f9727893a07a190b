"""A study to export, written once, and a copy for tests that change it."""

import shutil

import pytest

from tests.exchange import made_study


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    return made_study.write(tmp_path_factory.mktemp("made"))


@pytest.fixture
def own_study(study, tmp_path):
    shutil.copytree(study, tmp_path / "results")
    return tmp_path / "results"
