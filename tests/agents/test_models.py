"""From `--model SPEC` to clients; an OpenAI-compatible server on the loopback plays a whole step."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from autogen_core.models import UserMessage

from avo.agents.models import clients
from avo.agents.tuner import Tuner, TunerSupervisor
from avo.memory.journal import Journal
from avo.types import AvoError, Missing

KEY = "sk-loopback-4f1d0c97"
PLAY: list[tuple[str, dict[str, Any]] | str] = [
    ("list_files", {}),
    ("edit_file", {"path": "matvec.cpp", "old": "SUMS = 1;", "new": "SUMS = 16;"}),
    ("commit", {"message": "sixteen sums"}),
    "I kept sixteen sums.",
]


class Provider(ThreadingHTTPServer):
    """Speaks the chat-completions protocol; answers PLAY in order, the last entry for ever."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    server: Provider

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        entry = PLAY[min(len(self.server.requests), len(PLAY) - 1)]
        self.server.requests.append({"path": self.path, **body})
        self.server.keys.append(self.headers["Authorization"])
        message: dict[str, Any] = {"role": "assistant", "content": entry}
        if not isinstance(entry, str):
            function = {"name": entry[0], "arguments": json.dumps(entry[1])}
            calls = [{"id": f"call_{len(self.server.requests)}", "type": "function", "function": function}]
            message = {"role": "assistant", "content": None, "tool_calls": calls}
        finish = "stop" if isinstance(entry, str) else "tool_calls"
        answer = json.dumps({
            "id": "x", "object": "chat.completion", "created": 1, "model": "scripted",
            "choices": [{"index": 0, "message": message, "finish_reason": finish}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
        }).encode()  # fmt: skip
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def component(tmp_path: Path, provider: Provider) -> Path:
    """A file with an AutoGen model component that talks to the loopback server."""
    info = {
        "vision": False, "function_calling": True, "json_output": True, "family": "unknown", "structured_output": False,
    }  # fmt: skip
    config = {"model": "scripted", "base_url": provider.url, "model_info": info}
    file = tmp_path / "model.json"
    file.write_text(json.dumps({"provider": "autogen_ext.models.openai.OpenAIChatCompletionClient", "config": config}))
    return file


@pytest.mark.parametrize("spec", ["", "nonsense", "openai:", "openai", "no/such/file.json", "tuner:x", "tuner:-1"])
def test_a_spec_that_means_nothing_is_one_line(spec: str) -> None:
    with pytest.raises(AvoError) as caught:
        clients(spec)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    assert spec in str(caught.value)


def test_an_unknown_spec_names_the_possible_ones() -> None:
    with pytest.raises(AvoError, match=r"possible are: tuner, tuner:SEED, openai:NAME"):
        clients("gpt")


def test_the_tuner_is_both_models_and_takes_a_seed() -> None:
    worker, supervisor = clients("tuner:7")
    assert isinstance(worker, Tuner)
    assert isinstance(supervisor, TunerSupervisor)
    assert worker.seed == 7


@pytest.mark.parametrize("key", [None, ""])
def test_without_a_key_openai_is_missing_and_says_what_to_set(monkeypatch: pytest.MonkeyPatch, key: str | None) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    if key is not None:
        monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(Missing, match="set OPENAI_API_KEY"):
        clients("openai:gpt-5")


@pytest.mark.parametrize("text", ["", "no json", "[]", "{}", '{"provider": "no.such.Client", "config": {}}'])
def test_a_file_that_is_no_component_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "model.json").write_text(text)
    with pytest.raises(AvoError, match=r"model\.json: no AutoGen model component"):
        clients(str(tmp_path / "model.json"))


def test_a_component_file_makes_a_client_that_takes_its_key_from_the_environment(
    component: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    worker, supervisor = clients(str(component))
    assert worker is not supervisor
    provider.requests += [{}] * len(PLAY)
    result = asyncio.run(worker.create([UserMessage(content="hello", source="user")]))
    assert result.content == "I kept sixteen sums."
    assert provider.keys == [f"Bearer {KEY}"]


def test_a_model_behind_the_openai_protocol_plays_a_step_and_its_key_is_written_nowhere(
    tmp_path: Path, planted_run: Path, tiny: Any, provider: Provider, cli: Callable[..., CompletedProcess[str]]
) -> None:
    run = Path(shutil.copytree(planted_run, tmp_path / "run"))
    done = cli(
        "run", "scenario", tiny.path, "--run", run, "--model", "openai:scripted", "--steps", 1, "--json",
        OPENAI_BASE_URL=provider.url, OPENAI_API_KEY=KEY,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["stop_reason"], told["model"], told["best"]["version"]) == ("steps", "openai:scripted", "v1")
    assert told["best"]["gain"] > 1.2
    assert [request["path"] for request in provider.requests] == ["/v1/chat/completions"] * len(PLAY)
    assert set(provider.keys) == {f"Bearer {KEY}"}
    assert not any(request.get("stream") for request in provider.requests)
    roles = [message["role"] for message in provider.requests[-1]["messages"]]
    assert roles == ["system", "user", *["assistant", "tool"] * 3]
    assert {tool["function"]["name"] for tool in provider.requests[0]["tools"]} >= {"edit_file", "commit", "shell"}
    journal = Journal(run / "avo.db")
    (spent,) = [entry for entry in journal.spent() if entry["kind"] == "model"]
    assert (spent["prompt_tokens"], spent["completion_tokens"]) == (400, 40)
    journal.close()
    written = [path for path in run.rglob("*") if path.is_file()]
    assert len(written) > 10
    assert not [path for path in written if KEY.encode() in path.read_bytes()]
    assert KEY not in done.stdout + done.stderr
