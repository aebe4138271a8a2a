"""avo.toml: where it is found, what it may hold, and what it is told when it holds something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from avo.configuration import Configuration, Facts, load
from avo.types import AvoError


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory and a config folder of the test's own."""
    for name in ("FIRST_WAIT", "LONGEST_WAIT", "GIVE_UP", "REQUEST_LIMIT"):
        monkeypatch.delenv(f"AVO_{name}", raising=False)
    (tmp_path / "here").mkdir()
    (tmp_path / "config" / "avo").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def write(text: str, folder: Path = Path()) -> None:
    (folder / "avo.toml").write_text(text)


def test_without_a_file_everything_is_as_it_is() -> None:
    assert load() == Configuration()


def test_the_working_directory_comes_before_the_users_folder(tmp_path: Path) -> None:
    write('[models]\nworker = "theirs"', tmp_path / "config" / "avo")
    assert load().models.worker == "theirs"
    write('[models]\nsupervisor = "ours"')
    assert (load().models.worker, load().models.supervisor) == ("", "ours")


def test_a_whole_file() -> None:
    write("""
[models]
worker = "openai-compatible:big"
supervisor = "anthropic:wise"
base_url = "http://localhost:8000/v1"
stream = true
[models.info."openai-compatible:big"]
context_tokens = 65536
[retries]
give_up = 0
[prices]
"openai-compatible:big" = [0, 0, 0]
""")
    found = load()
    assert found.models.info == {"openai-compatible:big": Facts(context_tokens=65536)}
    assert (found.retries.give_up, found.retries.longest_wait) == (0, 300)
    assert (found.models.stream, found.prices) == (True, {"openai-compatible:big": [0, 0, 0]})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            '[models]\nwroker = "x"',
            r"unknown key 'models\.wroker'; did you mean 'worker'\? valid keys: base_url, info, ",
        ),
        ("[model]", r"unknown key 'model'; did you mean 'models'\? valid keys: models, prices, retries$"),
        ("[models.info.x]\ncontext = 5", r"valid keys: context_tokens, max_output_tokens, stream$"),
        (
            "[retries]\nwait = 5",
            r"unknown key 'retries\.wait'; .*valid keys: first_wait, give_up, longest_wait, request",
        ),
        ("[retries]\nfirst_wait = -1", r"retries\.first_wait: Input should be greater than 0"),
        ("[models]\nstream = 'perhaps'", r"models\.stream: Input should be a valid boolean"),
        ("models = 3", r"models: Input should be a valid dictionary"),
        ("[models", r"avo\.toml: "),
    ],
)
def test_a_mistake_is_one_line_that_names_the_key_and_the_valid_ones(text: str, told: str) -> None:
    write(text)
    with pytest.raises(AvoError, match=told) as caught:
        load()
    assert "\n" not in str(caught.value)
    assert "avo.toml" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ['[models]\napi_key = "{}"', '[models]\nworker = "{}"', 'OPENAI_API_KEY = "{}"', '[models.info.x]\ntoken = "{}"'],
)
def test_a_key_is_refused_and_not_repeated(text: str) -> None:
    write(text.format("sk-loopback-4f1d0c97"))
    with pytest.raises(AvoError, match="keys come from the environment only") as caught:
        load()
    assert "sk-loopback" not in str(caught.value)


def test_variables_come_before_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    write("[retries]\nfirst_wait = 7\nlongest_wait = 8")
    monkeypatch.setenv("AVO_FIRST_WAIT", "0.5")
    assert (load().retries.first_wait, load().retries.longest_wait) == (0.5, 8)
    monkeypatch.setenv("AVO_FIRST_WAIT", "soon")
    with pytest.raises(AvoError, match="first_wait: Input should be a valid number"):
        load()
