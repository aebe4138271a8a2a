"""From `--model SPEC` and avo.toml to clients; a provider on the loopback plays a whole step."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from autogen_core.models import UserMessage
from servers import Fault, Provider, serving

from avo.agents.models.providers import PROVIDERS
from avo.agents.models.resilient import Resilient
from avo.agents.specs import client, clients, named
from avo.agents.tuner.tuner import Tuner, TunerSupervisor
from avo.configuration import Configuration, Facts, ModelTable
from avo.memory.journal.journal import Journal
from avo.types import AvoError, Missing

KEY = "sk-loopback-4f1d0c97"
PLAY: list[Any] = [
    ("read_file", {}),
    ("edit_file", {"path": "matvec.cpp", "old": "SUMS = 1;", "new": "SUMS = 16;"}),
    ("commit", {"message": "sixteen sums"}),
    "I kept sixteen sums.",
]
VARIABLES = (
    "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "AZURE_OPENAI_API_KEY", "AZURE_OPENAI_ENDPOINT",
    "AVO_API_KEY", "AVO_BASE_URL", "OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "GEMINI_BASE_URL", "OLLAMA_HOST",
    "OPENAI_API_VERSION", "AVO_MODEL", "AVO_SUPERVISOR_MODEL",
)  # fmt: skip


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No key, no address, no avo.toml of the user's."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def provider() -> Iterator[Provider]:
    with serving(PLAY, key=KEY) as server:
        yield server


def component(folder: Path, name: str = "model.json", kind: str = "openai.OpenAI", **config: Any) -> Path:
    """A file with an AutoGen model component."""
    file = folder / name
    data = {"provider": f"autogen_ext.models.{kind}ChatCompletionClient", "config": {"model": "scripted", **config}}
    file.write_text(json.dumps(data))  # JSON is YAML, too
    return file


def ask(model: Any) -> Any:
    async def call() -> Any:
        try:
            return (await model.create([UserMessage(content="hello", source="user")])).content
        finally:
            await model.close()

    return asyncio.run(call())


@pytest.mark.parametrize(
    "spec", ["nonsense", "openai:", "openai", "gemini:", "no/such/file.json", "tuner:x", "tuner:-1"]
)
def test_a_spec_that_means_nothing_is_one_line(spec: str) -> None:
    with pytest.raises(AvoError) as caught:
        clients(spec)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    assert spec in str(caught.value)


def test_an_unknown_spec_names_the_possible_ones() -> None:
    with pytest.raises(AvoError, match=r"possible are: tuner, tuner:SEED, openai:NAME, anthropic:NAME, gemini:NAME, "):
        clients("gpt")


def test_the_tuner_is_both_models_and_takes_a_seed() -> None:
    worker, supervisor = clients("tuner:7")
    assert isinstance(worker, Tuner)
    assert isinstance(supervisor, TunerSupervisor)
    assert worker.seed == 7


@pytest.mark.parametrize("key", [None, ""])
@pytest.mark.parametrize("kind", ["openai", "anthropic", "gemini", "azure"])
def test_without_its_key_a_model_is_missing_and_says_what_to_set(
    monkeypatch: pytest.MonkeyPatch, kind: str, key: str | None
) -> None:
    if key is not None:
        monkeypatch.setenv(PROVIDERS[kind].key, key)
    with pytest.raises(Missing, match=f"^model {kind}:m needs a key: set {PROVIDERS[kind].key}$"):
        clients(f"{kind}:m")


def test_without_its_address_a_model_is_missing_and_says_how_to_give_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", KEY)
    with pytest.raises(Missing, match="azure:m needs the address of its server: set AZURE_OPENAI_ENDPOINT"):
        clients("azure:m")
    with pytest.raises(Missing, match="needs the address of its server: give --base-url URL"):
        clients("openai-compatible:m")


@pytest.mark.parametrize(
    ("kind", "variable", "path"),
    [
        ("openai", "OPENAI_BASE_URL", "/v1/chat/completions"), ("anthropic", "ANTHROPIC_BASE_URL", "/v1/messages"),
        ("gemini", "GEMINI_BASE_URL", "/v1/chat/completions"),
        ("azure", "AZURE_OPENAI_ENDPOINT", "/openai/deployments/m/chat/completions?api-version=2024-10-21"),
        ("openai-compatible", "AVO_BASE_URL", "/v1/chat/completions"),
    ],
)  # fmt: skip
def test_every_kind_speaks_to_its_address_with_its_key_and_without_a_retry_of_the_sdk(
    provider: Provider, monkeypatch: pytest.MonkeyPatch, kind: str, variable: str, path: str
) -> None:
    monkeypatch.setenv(PROVIDERS[kind].key, KEY)
    monkeypatch.setenv(variable, provider.root if kind in ("anthropic", "azure") else provider.url)
    monkeypatch.setenv("AVO_FIRST_WAIT", "0.01")
    provider.faults[0] = Fault.BROKEN
    provider.played = len(PLAY) - 1
    model, _ = clients(f"{kind}:m")
    assert isinstance(model, Resilient)
    lines: list[str] = []
    model.say = lines.append
    assert ask(model) == PLAY[-1]
    assert [request.path for request in provider.requests] == [path, path]
    assert {request.body["model"] for request in provider.requests} == {"m"}
    assert len(lines) == 1


def test_ollama_needs_no_key_and_reads_its_own_variable(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    provider.key = ""
    monkeypatch.setenv("OLLAMA_HOST", f"127.0.0.1:{provider.server_port}")
    provider.played = len(PLAY) - 1
    assert ask(clients("ollama:qwen3")[0]) == PLAY[-1]
    monkeypatch.delenv("OLLAMA_HOST")
    model = client("ollama:qwen3", Configuration())
    assert isinstance(model, Resilient)
    assert model.url == "http://localhost:11434/v1"


def test_gemini_gets_its_signatures_back_and_a_stand_in_for_those_that_are_lost(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    from autogen_core import FunctionCall
    from autogen_core.models import AssistantMessage

    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setenv("GEMINI_BASE_URL", provider.url)
    signed = {"google": {"thought_signature": "abc"}}
    provider.extra_content = signed

    async def scene() -> None:
        model = client("gemini:gemini-3-pro", Configuration())
        first = (await model.create([UserMessage(content="a", source="user")])).content
        assert isinstance(first, list)
        older = AssistantMessage(content=[FunctionCall("lost", "lineage", "{}")], source="worker")
        await model.create([older, AssistantMessage(content=first, source="worker")])
        await model.close()

    asyncio.run(scene())
    sent = [m for m in provider.requests[1].body["messages"] if m.get("tool_calls")]
    assert [message["tool_calls"][0]["extra_content"] for message in sent] == [
        {"google": {"thought_signature": "skip_thought_signature_validator"}}, signed,
    ]  # fmt: skip


@pytest.mark.parametrize("url", ["127.0.0.1:8000/v1", "ftp://host/v1", "http://", "https://me:pass@host/v1"])
def test_an_address_that_is_none_or_holds_a_password_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(AvoError, match=r"openai-compatible:m: (its address holds|'.*' is no address)") as caught:
        clients("openai-compatible:m", base_url=url)
    assert "pass@" not in str(caught.value)


def test_a_base_url_is_not_for_providers_whose_keys_it_would_carry_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with pytest.raises(AvoError, match="--base-url is for openai-compatible:NAME and ollama:NAME, not for openai:m"):
        clients("openai:m", base_url="http://elsewhere/v1")
    worker, supervisor = clients("openai-compatible:m", "openai:m", base_url="http://elsewhere/v1")
    assert isinstance(worker, Resilient)
    assert isinstance(supervisor, Resilient)
    assert (worker.url, supervisor.url) == ("http://elsewhere/v1", "https://api.openai.com/v1")


def test_avo_toml_names_the_models_and_options_come_before_it(tmp_path: Path) -> None:
    assert named() == ("tuner", "tuner")
    (tmp_path / "avo.toml").write_text('[models]\nworker = "ollama:w"\nsupervisor = "ollama:s"\n')
    assert named() == ("ollama:w", "ollama:s")
    assert named("ollama:x") == ("ollama:x", "ollama:s")
    assert named("", "ollama:y") == ("ollama:w", "ollama:y")
    assert named("tuner:3") == ("tuner:3", "tuner:3")
    worker, supervisor = clients()
    assert isinstance(worker, Resilient)
    assert isinstance(supervisor, Resilient)
    assert (worker.name, supervisor.name) == ("ollama:w", "ollama:s")


def test_what_is_known_of_a_model_can_be_said_in_avo_toml(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVO_API_KEY", KEY)
    facts = {"openai-compatible:m": Facts(context_tokens=9000, max_output_tokens=700, stream=True)}
    model = client("openai-compatible:m", Configuration(models=ModelTable(info=facts)), provider.url)
    assert isinstance(model, Resilient)
    assert model.context_tokens == 9000
    ask(model)
    assert (provider.requests[0].body["max_tokens"], provider.requests[0].body["stream"]) == (700, True)


@pytest.mark.parametrize(
    ("spec", "tokens"),
    [
        ("openai:gpt-5-mini", 272_000), ("openai:unheard-of", 128_000), ("anthropic:unheard-of", 200_000),
        ("gemini:unheard-of", 1_048_576), ("ollama:qwen3:32b", 32_768), ("openai-compatible:org/claude-x", 200_000),
    ],
)  # fmt: skip
def test_an_unknown_name_has_a_context_all_the_same(monkeypatch: pytest.MonkeyPatch, spec: str, tokens: int) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.setenv(name, KEY)
    model = client(spec, Configuration(), "http://localhost:1/v1")
    assert getattr(model, "context_tokens", 0) == tokens
    assert model.model_info["function_calling"]


@pytest.mark.parametrize("text", ["", "no json", "[]", "{}", '{"provider": "no.such.Client", "config": {}}'])
@pytest.mark.parametrize("name", ["model.json", "model.yaml"])
def test_a_file_that_is_no_component_is_named(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(AvoError, match=rf"{name}: no AutoGen model component") as caught:
        clients(str(tmp_path / name))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["model.json", "model.yaml"])
def test_a_component_file_makes_a_client_that_takes_its_key_from_the_environment(
    tmp_path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("AVO_FIRST_WAIT", "0.01")
    provider.played, provider.faults[0] = len(PLAY) - 1, Fault.CUT
    worker, supervisor = clients(str(component(tmp_path, name, base_url=provider.url)))
    assert worker is not supervisor
    assert ask(worker) == "I kept sixteen sums."
    assert [request.headers["authorization"] for request in provider.requests] == [f"Bearer {KEY}"] * 2


def test_a_component_of_anthropics_works_over_todays_sdk(
    tmp_path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    provider.played = len(PLAY) - 1
    file = component(tmp_path, kind="anthropic.Anthropic", base_url=provider.root, temperature=0.5, max_tokens=123)
    assert ask(clients(str(file))[0]) == PLAY[-1]
    body = provider.requests[0].body
    assert (body["temperature"], body["max_tokens"], body["model"]) == (0.5, 123, "scripted")


def test_a_component_for_a_server_of_ones_own_needs_no_key_and_one_for_a_provider_does(
    tmp_path: Path, provider: Provider
) -> None:
    provider.key, provider.played = "", len(PLAY) - 1
    assert ask(clients(str(component(tmp_path, base_url=provider.url)))[0]) == PLAY[-1]
    with pytest.raises(Missing, match=r"model\.json: its model needs a key: set OPENAI_API_KEY"):
        clients(str(component(tmp_path)))


@pytest.mark.parametrize(
    "config", [{"api_key": KEY}, {"default_headers": {"Authorization": KEY}}, {"default_headers": {"X": KEY}}]
)
def test_a_key_in_a_component_file_is_refused_and_not_repeated(tmp_path: Path, config: dict[str, Any]) -> None:
    with pytest.raises(AvoError, match="keys come from the environment only") as caught:
        clients(str(component(tmp_path, **config)))
    assert KEY not in str(caught.value)


def test_an_unknown_key_of_a_component_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with pytest.raises(AvoError, match="'temprature' is no key of its config"):
        clients(str(component(tmp_path, temprature=1)))


@pytest.mark.slow
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
    assert [request.path for request in provider.requests] == ["/v1/chat/completions"] * len(PLAY)
    assert {request.headers["authorization"] for request in provider.requests} == {f"Bearer {KEY}"}
    bodies = [request.body for request in provider.requests]
    assert not any(body.get("stream") for body in bodies)
    roles = [message["role"] for message in bodies[-1]["messages"]]
    assert roles == ["system", "user", *["assistant", "tool"] * 3]
    assert {tool["function"]["name"] for tool in bodies[0]["tools"]} >= {"edit_file", "commit", "shell"}
    journal = Journal(run / "avo.db")
    (spent,) = [entry for entry in journal.spent() if entry["kind"] == "model"]
    counted = provider.counted
    assert (spent["prompt_tokens"], spent["completion_tokens"]) == (counted.prompt, counted.completion)
    journal.close()
    written = [path for path in run.rglob("*") if path.is_file()]
    assert len(written) > 10
    assert not [path for path in written if KEY.encode() in path.read_bytes()]
    assert KEY not in done.stdout + done.stderr
