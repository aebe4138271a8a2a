"""Embedders: a server at its protocol, over a real socket; every failure is one line without the key."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from avo.kb_index.index.embedders import BATCH, embedder_of
from avo.kb_index.index.store import Store
from avo.kb_index.search import search
from avo.types import AvoError, Missing

KEY = "sk-secret-of-this-test"
Answer = Callable[[dict[str, Any]], tuple[int, Any]]


def lengths(body: dict[str, Any]) -> tuple[int, Any]:
    """Two values a text."""
    data = [
        {"index": at, "embedding": [float(text.count("barrier")) + 0.1, float(text.count("tile"))]}
        for at, text in enumerate(body["input"])
    ]
    return 200, {"data": data}


class Server(ThreadingHTTPServer):
    answer: Answer = staticmethod(lengths)
    requests: list[tuple[str, str, dict[str, Any]]]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append((self.path, self.headers["Authorization"], body))
        code, answer = self.server.answer(body)
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        if code == 307:
            self.send_header("Location", answer)
        self.end_headers()
        self.wfile.write(answer if isinstance(answer, bytes) else json.dumps(answer).encode())

    def log_message(self, *_: Any) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as serving:
        serving.requests = []
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{serving.server_port}/v1/")
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        yield serving
        serving.shutdown()


def test_texts_go_in_batches_and_vectors_come_back_in_order(server: Server, tmp_path: Path) -> None:
    texts = [f"{'tile ' * at}" for at in range(BATCH + 3)]
    vectors = embedder_of("openai:small", tmp_path).embed(texts, texts)
    assert vectors.shape == (BATCH + 3, 2)
    assert vectors[:, 1].tolist() == [float(at) for at in range(BATCH + 3)]
    assert [len(body["input"]) for _, _, body in server.requests] == [BATCH, 3]
    path, key, body = server.requests[0]
    assert (path, key, body["model"]) == ("/v1/embeddings", f"Bearer {KEY}", "small")


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (
            lambda body: (401, {"error": {"message": f"bad key {KEY}"}}),
            r"embeddings: .*401.*key \[OPENAI_API_KEY\]",
        ),
        (lambda body: (200, b"<html>"), "no embeddings: Expecting value"),
        (lambda body: (200, {"data": []}), "no embeddings: No embedding data received"),
        (lambda body: (200, {"data": [{"index": 0, "embedding": [1]}]}), "1 embeddings for 2 texts"),
        (lambda body: (200, {"error": "no"}), "no embeddings: No embedding data received"),
        (
            lambda body: (200, {"data": [{"index": 0, "embedding": [1]}, {"index": 1, "embedding": [1, 2]}]}),
            "no embeddings",
        ),
    ],
)
def test_what_a_server_does_wrong_is_one_line(server: Server, tmp_path: Path, answer: Answer, problem: str) -> None:
    server.answer = answer
    with pytest.raises(AvoError, match=problem) as raised:
        embedder_of("openai:small", tmp_path).embed(["a", "b"], ["a", "b"])
    assert KEY not in str(raised.value)
    assert "\n" not in str(raised.value)
    assert len(server.requests) == 1


def test_a_key_is_not_taken_to_another_address(server: Server, tmp_path: Path) -> None:
    with Server(("127.0.0.1", 0), Handler) as other:
        other.requests = []
        threading.Thread(target=other.serve_forever, daemon=True).start()
        server.answer = lambda body: (307, f"http://127.0.0.1:{other.server_port}/v1/embeddings")
        embedder_of("openai:small", tmp_path).embed(["a"], ["a"])
        other.shutdown()
    assert [key for _, key, _ in server.requests] == [f"Bearer {KEY}"]
    assert [key for _, key, _ in other.requests] == [None]


def test_a_server_that_is_busy_is_asked_again(server: Server, tmp_path: Path) -> None:
    busy = iter([503])
    server.answer = lambda body: (code, {}) if (code := next(busy, 0)) else lengths(body)
    assert embedder_of("openai:small", tmp_path).embed(["tile"], ["tile"]).shape == (1, 2)
    assert len(server.requests) == 2


def test_no_key_and_no_server_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(Missing, match="needs OPENAI_API_KEY"):
        embedder_of("openai:small", tmp_path).embed(["a"], ["a"])
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    with pytest.raises(AvoError, match=r"no embeddings: Connection error.*refused"):
        embedder_of("openai:small", tmp_path).embed(["a"], ["a"])


@pytest.mark.parametrize("name", ["lsa", "openai:", "minilm", "", "chroma:default"])
def test_an_unknown_embedder_names_those_that_there_are(tmp_path: Path, name: str) -> None:
    with pytest.raises(AvoError, match="there are: lsa-256, openai:MODEL or default"):
        embedder_of(name, tmp_path)


def test_a_base_made_with_a_server_is_searched_with_it_and_refuses_other_vectors(
    server: Server, tmp_path: Path, cut: Any
) -> None:
    with Store.create(tmp_path / "kb", "openai:small") as made:
        made.put(*cut("a:x.py", "def one(x):\n    # barrier barrier\ndef two(x):\n    # tile tile\n"))
        made.finish()
    with Store.open(tmp_path / "kb") as opened:
        assert [hit.symbol for hit in search(opened, "tile")] == ["two", "one"]
        server.answer = lambda body: (200, {"data": [{"index": 0, "embedding": [1.0, 0.0, 0.0]}]})
        with pytest.raises(AvoError, match=r"dimension of 2, got 3.*avo kb build"):
            search(opened, "tile")
