"""Publishing to a hub on the loopback: what is listed, asked, sent, and what is not."""

import os
import pty
import sys
from dataclasses import dataclass

import pytest
from huggingface_hub import constants

from tests.exchange.writable_hub import writable_hub
from tests.hub_server import NO_ACCESS, TOKEN, Repo
from workflow_scripts.cli import main
from workflow_scripts.common.source_files import EXPORT_MARKER


@pytest.fixture
def folder(tmp_path):
    """An exported model: one large file, results, and the mark of an export."""
    made = tmp_path / "model"
    (made / ".eval_results").mkdir(parents=True)
    (made / "README.md").write_text("---\nlicense: mit\n---\n\n# A model\n")
    (made / "config.json").write_text("{}\n")
    (made / "model.safetensors").write_bytes(b"\0" * 5000)
    (made / ".eval_results/riddles.yaml").write_text("[]\n")
    (made / EXPORT_MARKER).write_text("{}")
    (made / ".secret").write_text("hf_of_mine")
    return made


@dataclass(frozen=True)
class Done:
    """How the command ended, and what it printed."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def publish(monkeypatch, capsys, tmp_path):
    """The command, with a hub and a token of its own and nobody at the terminal."""
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no token"))
    monkeypatch.setattr(sys, "stdin", open(os.devnull))  # noqa: SIM115

    def run(url: str, *words: object, token: str = TOKEN) -> Done:
        monkeypatch.setattr(constants, "ENDPOINT", url)
        monkeypatch.setenv("HF_TOKEN", token)
        status = main(["publish", *map(str, words)])
        return Done(status, *capsys.readouterr())

    return run


def writes(server) -> list[str]:
    return [path for method, path, _ in server.seen if method != "GET"]


def test_a_new_repository_is_private_and_holds_what_was_listed(publish, folder):
    with writable_hub({}, {}) as server:
        done = publish(server.url, folder, "--to", "lab/tiny", "--yes")
    assert done.returncode == 0, done.stderr
    sent = server.repos["models"]["lab/tiny"].files
    names = {".eval_results/riddles.yaml", "README.md", "config.json", "model.safetensors"}
    assert set(sent) == names  # neither the mark nor what else is hidden
    assert sent["model.safetensors"] == b"\0" * 5000
    assert server.private["lab/tiny"] is True
    for said in (*names, "4 files, 5.0 kB", "model repository lab/tiny", "will be made; private"):
        assert said in done.stdout


def test_nobody_to_ask_is_a_no(publish, folder):
    with writable_hub({}, {}) as server:
        done = publish(server.url, folder, "--to", "lab/tiny")
    assert done.returncode == 1
    assert "add --yes" in done.stderr and "model.safetensors" in done.stdout
    assert writes(server) == [] and server.repos["models"] == {}


@pytest.mark.parametrize(("answer", "sent"), [("n", False), ("", False), ("y", True)])
def test_a_person_is_asked(publish, folder, monkeypatch, answer, sent):
    person, terminal = pty.openpty()
    with writable_hub({}, {}) as server, open(terminal) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        os.write(person, f"{answer}\n".encode())
        done = publish(server.url, folder, "--to", "lab/tiny")
    os.close(person)
    assert "Send this to lab/tiny? [y/N]" in done.stdout
    assert done.returncode == (0 if sent else 1)
    assert ("nothing was sent" in done.stdout) is not sent
    assert ("lab/tiny" in server.repos["models"]) is sent


def test_what_is_replaced_and_who_sees_it_is_said(publish, folder):
    there = Repo({"README.md": b"old", "kept.txt": b"kept"})
    with writable_hub({"lab/tiny": there}, {}) as server:
        done = publish(server.url, folder, "--to", "lab/tiny", "--yes")
    assert "it exists; PUBLIC" in done.stdout
    assert "README.md  32 B  (replaces the one there)" in done.stdout
    assert there.files["kept.txt"] == b"kept" and there.files["README.md"] != b"old"
    assert "/api/repos/create" not in writes(server)


def test_a_pull_request_changes_nothing_by_itself(publish, folder):
    there = Repo({"README.md": b"old"})
    with writable_hub({"lab/tiny": there}, {}) as server:
        done = publish(server.url, folder, "--to", "lab/tiny", "--yes", "--pull-request")
    assert done.returncode == 0, done.stderr
    assert "discussions/1" in done.stdout
    assert there.files == {"README.md": b"old"} and "config.json" in server.pulls


def test_a_set_is_a_dataset_and_may_be_public(publish, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/train-00000-of-00001.parquet").write_bytes(b"PAR1")
    (tmp_path / "README.md").write_text("# A set\n")
    with writable_hub({}, {}) as server:
        done = publish(server.url, tmp_path, "--to", "lab/set", "--public", "--yes")
    assert done.returncode == 0, done.stderr
    assert "PUBLIC" in done.stdout and server.private["lab/set"] is False
    assert len(server.repos["datasets"]["lab/set"].files) == 2


@pytest.mark.parametrize(
    ("words", "token", "said"),
    [
        (["--to", "lab/tiny"], "hf_bad", "the hub refuses your token"),
        (["--to", "lab/tiny"], NO_ACCESS, "this token may not write"),
        (["--to", "lab/tiny"], "", "publishing needs an account"),
        (["--to", "a/b/c"], TOKEN, "write OWNER/NAME"),
        (["--to", "lab/none", "--pull-request"], TOKEN, "no model repository lab/none"),
    ],
)
def test_refusals_say_what_to_do(publish, folder, words, token, said):
    with writable_hub({}, {}) as server:
        done = publish(server.url, folder, *words, "--yes", token=token)
    assert done.returncode == 1 and said in done.stderr, done.stderr
    assert not any(path.startswith("/large") or "commit" in path for path in writes(server))


def test_a_hub_that_is_not_there(publish, folder):
    done = publish("http://127.0.0.1:9", folder, "--to", "lab/tiny", "--yes")
    assert done.returncode == 1
    assert "cannot be reached" in done.stderr and "nothing was committed" in done.stderr


def test_a_folder_of_folders_is_not_one_repository(publish, folder):
    (folder.parent / EXPORT_MARKER).write_text('{"form": "model"}')
    with writable_hub({}, {}) as server:
        done = publish(server.url, folder.parent, "--to", "lab/tiny", "--yes")
    assert done.returncode == 1 and f"publish one: {folder}" in done.stderr and server.seen == []


def test_results_alone_belong_to_a_model(publish, tmp_path):
    (tmp_path / ".eval_results").mkdir()
    (tmp_path / ".eval_results/riddles.yaml").write_text("[]\n")
    there = Repo({"README.md": b"of the maker"})
    with writable_hub({"maker/base": there}, {}) as server:
        done = publish(server.url, tmp_path, "--to", "maker/base", "--pull-request", "--yes")
    assert done.returncode == 0, done.stderr
    assert set(server.pulls) == {".eval_results/riddles.yaml"}


def test_links_are_not_followed(publish, folder):
    (folder / "passwords").symlink_to("/etc/passwd")
    with writable_hub({}, {}) as server:
        done = publish(server.url, folder, "--to", "lab/tiny", "--yes")
    assert done.returncode == 1 and "is a link" in done.stderr and server.seen == []
