"""Any OpenAI-compatible server that takes and returns token ids, such as `vllm serve`.

Requests are streamed, so that ids reach the store while a trace is still being written. They run on
an event loop in one background thread; the scheduler sees the same submit and poll as elsewhere.
"""

import asyncio
import json
import queue
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from workflow_scripts.common.errors import ConfigError, UserError
from workflow_scripts.inference.engine import Output, Request
from workflow_scripts.inference.memory import model_config

BIAS = -100.0  # what the OpenAI API takes for "never"
SOCKET = "unix://"
ANSWER_S = 3600.0  # a queued request may wait for hours; a dead connection is noticed at once


def server_version(url: str) -> str:
    """Version that the server states, or "unknown". UserError when nothing answers there."""
    with _client(url) as client:
        answer = _get(client, url, "/version")
    return str(answer.json().get("version", "unknown")) if answer.is_success else "unknown"


def served_model(url: str, wanted: str, context: int) -> str:
    """Name of the model to ask for. ConfigError when there is none with enough context."""
    with _client(url) as client:
        answer = _get(client, url, "/v1/models")
    if not answer.is_success:
        raise UserError(f"{url}/v1/models answers {answer.status_code}; is this an OpenAI server?")
    models = {entry["id"]: entry for entry in answer.json().get("data", [])}
    name = wanted or next(iter(models), "")
    if name not in models or (not wanted and len(models) > 1):
        raise ConfigError(
            f"inference.engine.url {url} serves {', '.join(models) or 'no model'}; name one "
            "of them in inference.engine.options.model"
        )
    held = models[name].get("max_model_len")
    if held and held < context:
        raise ConfigError(
            f"{url} serves {name} with max_model_len {held}, the study needs inference.context "
            f"{context}; restart the server with --max-model-len {context} or lower the context"
        )
    return name


class ServerEngine:
    """The `Engine` protocol on /v1/completions with prompt ids and `return_token_ids`."""

    def __init__(
        self, model: dict[str, Any], inference: dict[str, Any], vocabulary_size: int
    ) -> None:
        engine = inference["engine"]
        self._url = engine["url"]
        wanted = engine.get("options", {}).get("model", "")
        self._name = served_model(self._url, wanted, inference["context"])
        padded = int(model_config(Path(model["path"]))["vocab_size"])
        self._bias = {str(i): BIAS for i in range(vocabulary_size, padded)}
        self._slots = engine.get("max_sequences", 256)
        self._outputs: queue.Queue[Output | Exception] = queue.Queue()
        self._open = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._client, self._gate = asyncio.run_coroutine_threadsafe(
            self._connect(), self._loop
        ).result()

    async def _connect(self) -> tuple[httpx.AsyncClient, asyncio.Semaphore]:
        limits = httpx.Limits(max_connections=self._slots, max_keepalive_connections=self._slots)
        timeout = httpx.Timeout(ANSWER_S, connect=30.0)
        base, socket = _address(self._url)
        transport = httpx.AsyncHTTPTransport(limits=limits, uds=socket)
        client = httpx.AsyncClient(base_url=base, transport=transport, timeout=timeout)
        return client, asyncio.Semaphore(self._slots)

    def submit(self, requests: Sequence[Request]) -> None:
        self._open += len(requests)
        for request in requests:
            asyncio.run_coroutine_threadsafe(self._serve(request), self._loop)

    def poll(self) -> list[Output]:
        if not self._open:
            return []
        found = [self._outputs.get()]
        while not self._outputs.empty():
            found.append(self._outputs.get())
        outputs = []
        for item in found:
            if isinstance(item, Exception):
                raise item
            self._open -= item.finished
            outputs.append(item)
        return outputs

    async def _serve(self, request: Request) -> None:
        try:
            async with self._gate:
                await self._stream(request)
        except UserError as error:
            self._outputs.put(error)
        except httpx.HTTPError as error:
            self._outputs.put(
                UserError(
                    f"the server at {self._url} broke off ({type(error).__name__}: {error}); what "
                    "was decoded is in the store: start again when it is back"
                )
            )
        except Exception as error:  # the loop would swallow it, and poll would wait for ever
            self._outputs.put(error)

    async def _stream(self, request: Request) -> None:
        body = self._body(request)
        async with self._client.stream("POST", "/v1/completions", json=body) as answer:
            if not answer.is_success:
                text = (await answer.aread()).decode(errors="replace")
                raise UserError(f"{self._url} refused {request.owner}: {text[:500]}")
            finished = False
            async for line in answer.aiter_lines():
                if not line.startswith("data:") or line == "data: [DONE]":
                    continue
                output = self._output(request, json.loads(line[5:]))
                if output is not None:
                    finished |= output.finished
                    self._outputs.put(output)
        if not finished:
            raise UserError(f"{self._url} ended {request.owner} without a finish reason")

    def _body(self, request: Request) -> dict[str, Any]:
        sampling = request.sampling
        body: dict[str, Any] = {
            "model": self._name,
            "prompt": list(request.prompt),
            "max_tokens": request.max_tokens,
            "min_tokens": sampling.min_tokens,
            "temperature": sampling.temperature,
            "stop_token_ids": list(sampling.stop),
            "ignore_eos": True,
            "skip_special_tokens": False,
            "return_token_ids": True,
            "stream": True,
        }
        if sampling.seed is not None:
            body["seed"] = sampling.seed
        if self._bias:
            body["logit_bias"] = self._bias
        return body

    def _output(self, request: Request, event: dict[str, Any]) -> Output | None:
        if "error" in event:
            raise UserError(f"{self._url} failed on {request.owner}: {event['error']}")
        if not event.get("choices"):
            return None
        choice = event["choices"][0]
        reason = choice.get("finish_reason")
        ids = choice.get("token_ids")
        if ids is None and (choice.get("text") or reason):
            raise UserError(
                f"the server at {self._url} returns text but no token ids, so nothing can be cut "
                "exactly; use one that knows `return_token_ids` (vLLM from 0.10.2 on)"
            )
        stop_id = choice.get("stop_reason") if reason == "stop" else None
        if reason == "stop" and not isinstance(stop_id, int):
            raise UserError(
                f"the server at {self._url} ended {request.owner} without naming the token "
                f"(stop_reason {stop_id!r}); it must accept `stop_token_ids` and `ignore_eos`"
            )
        ids = tuple(ids or ())
        if stop_id is not None and ids and ids[-1] == stop_id:
            ids = ids[:-1]
        return Output(request.key, ids, reason is not None, stop_id)

    def facts(self) -> dict[str, Any]:
        return {"engine": "server", "model": self._name, "version": server_version(self._url)}

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._client.aclose(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)


def _address(url: str) -> tuple[str, str | None]:
    """Base address and Unix socket; `unix:///run/vllm.sock` names a socket file."""
    if url.startswith(SOCKET):
        return "http://localhost", url[len(SOCKET) :]
    return url.rstrip("/").removesuffix("/v1"), None


def _client(url: str) -> httpx.Client:
    if not url:
        raise ConfigError("inference.engine.kind is server, but inference.engine.url is empty")
    base, socket = _address(url)
    return httpx.Client(base_url=base, transport=httpx.HTTPTransport(uds=socket), timeout=30.0)


def _get(client: httpx.Client, url: str, path: str) -> httpx.Response:
    try:
        return client.get(path)
    except httpx.HTTPError as error:
        raise UserError(
            f"no server answers at inference.engine.url {url} ({error}); start it or correct the "
            "address"
        ) from None
