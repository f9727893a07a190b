"""A server that takes and returns token ids, over real HTTP; and servers that do not."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.inference import world
from tests.inference.test_schedule import IDENTITY, make_study, script
from workflow_scripts.common.errors import ConfigError, UserError
from workflow_scripts.inference.engine import Request, Sampling
from workflow_scripts.inference.prompts import Vocabulary
from workflow_scripts.inference.schedule import Sweep
from workflow_scripts.inference.scripted import NextId, ScriptedEngine
from workflow_scripts.inference.server import ServerEngine, server_version
from workflow_scripts.inference.store import Store


class Handler(BaseHTTPRequestHandler):
    """vLLM's completions endpoint, as far as it is used, in front of a scripted model."""

    protocol_version = "HTTP/1.1"
    next_id: NextId
    with_ids = True
    include_stop = True

    def log_message(self, *_: object) -> None:
        return

    def do_GET(self) -> None:  # noqa: N802
        body: dict[str, Any] = {"version": "0.32.0"}
        if self.path == "/v1/models":
            body = {"data": [{"id": "toy", "max_model_len": 400}]}
        self._send(json.dumps(body).encode(), "application/json")

    def do_POST(self) -> None:  # noqa: N802
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        stop = tuple(body["stop_token_ids"])
        ids, ended = world.write_out(
            self.next_id, tuple(body["prompt"]), body["max_tokens"], stop, body["min_tokens"]
        )
        events = [self._event(ids[i : i + 5]) for i in range(0, len(ids), 5)]
        last = self.next_id((*body["prompt"], *ids), Sampling(stop)) if ended else None
        tail = [last] if ended and self.include_stop else []
        events.append(self._event(tail, "stop" if ended else "length", last))
        text = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
        self._send((text + "data: [DONE]\n\n").encode(), "text/event-stream")

    def _event(
        self, ids: list[int], reason: str | None = None, stop: int | None = None
    ) -> dict[str, Any]:
        choice = {"text": "x" * len(ids), "finish_reason": reason, "stop_reason": stop}
        if self.with_ids:
            choice["token_ids"] = ids
        return {"choices": [choice]}

    def _send(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def serve(vocabulary: Vocabulary) -> Iterator[Any]:
    servers = []

    def start(**options: Any) -> str:
        members = {"next_id": staticmethod(script(vocabulary)), **options}
        handler = type("Case", (Handler,), members)
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def engine_for(url: str, folder: Path, size: int = 320, **more: Any) -> ServerEngine:
    inference = world.inference(engine={"url": url, "max_sequences": 8, **more})
    return ServerEngine({"path": str(folder)}, inference, size)


@pytest.mark.parametrize("include_stop", [True, False])
def test_the_sweep_over_http_equals_the_sweep_in_process(
    serve: Any, vocabulary: Vocabulary, model_json: Path, tmp_path: Path, include_stop: bool
) -> None:
    study = make_study(vocabulary)
    plans = [study.plan(question) for question in world.questions(3)]
    results = []
    url = serve(include_stop=include_stop)
    engines = {
        "server": engine_for(url + "/v1", model_json.parent),
        "scripted": ScriptedEngine(script(vocabulary), 8),
    }
    for name, engine in engines.items():
        store = Store.writable(tmp_path / f"{name}.sqlite", IDENTITY)
        sweep = Sweep(plans, store, lambda e=engine: e)
        sweep.run()
        results.append([row for plan in plans for _, row in plan.rows(store.get)])
        sweep.close()
        store.close()
    assert results[0] == results[1]


def test_text_without_ids_is_refused(serve: Any, model_json: Path) -> None:
    engine = engine_for(serve(with_ids=False), model_json.parent)
    engine.submit([Request("a", (6, 7), 8, Sampling(()), "toy/q0 thinking 0")])
    with pytest.raises(UserError, match="returns text but no token ids"):
        while True:
            engine.poll()
    engine.close()


def test_padding_ids_are_biased_away(serve: Any, model_json: Path) -> None:
    engine = engine_for(serve(), model_json.parent, size=318)
    body = engine._body(Request("a", (6,), 8, Sampling((1,), 1)))
    assert body["logit_bias"] == {"318": -100.0, "319": -100.0}
    assert body["prompt"] == [6] and body["min_tokens"] == 1 and body["return_token_ids"]
    engine.close()


def test_an_address_where_nothing_answers() -> None:
    with pytest.raises(UserError, match="no server answers at inference.engine.url"):
        server_version("http://127.0.0.1:9")
    with pytest.raises(ConfigError, match="inference.engine.url is empty"):
        server_version("")


def test_the_served_model_must_fit(serve: Any, model_json: Path) -> None:
    url = serve()
    assert server_version(url) == "0.32.0"
    with pytest.raises(ConfigError, match="serves toy; name one of them"):
        engine_for(url, model_json.parent, options={"model": "other"})
    inference = world.inference(engine={"url": url}, context=999)
    with pytest.raises(ConfigError, match="max_model_len 400, the study needs"):
        ServerEngine({"path": str(model_json.parent)}, inference, 320)
