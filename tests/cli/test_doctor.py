"""`avo doctor`: what is there, and one call that shows what a model can do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from servers import Answer, Fault, Provider, serving

from avo.cli.doctor import writing_problem

KEY = "sk-loopback-4f1d0c97"
SUM: Answer = ("report_sum", {"total": 5})
Cli = Callable[..., "subprocess.CompletedProcess[str]"]
Doctor = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def doctor(cli: Cli, tmp_path: Path) -> Doctor:
    """`avo doctor --model openai-compatible:m` of a provider."""

    def call(provider: Provider, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        settings = {"AVO_API_KEY": KEY, "NO_PROXY": "127.0.0.1", "AVO_FIRST_WAIT": "0.01"}
        return cli(
            "doctor", "--model", "openai-compatible:m", "--base-url", provider.url, *arguments,
            XDG_CONFIG_HOME=str(tmp_path), **settings | environment,
        )  # fmt: skip

    return call


def shown(done: subprocess.CompletedProcess[str]) -> dict[str, bool]:
    """What -> whether it is so."""
    lines = [line.split() for line in done.stdout.splitlines()[1:]]
    return {
        " ".join(words[: words.index(mark)]): mark == "yes"
        for words in lines
        for mark in words
        if mark in ("yes", "NO")
    }


def test_a_model_that_can_do_the_work(doctor: Doctor, tmp_path: Path) -> None:
    (tmp_path / "avo.toml").write_text('[prices]\n"openai-compatible:m" = [1, 0.1, 4]\n')
    with serving([SUM], {0: Fault.UNAVAILABLE}, key=KEY) as provider:
        done = doctor(provider)
        assert done.returncode == 0, done.stderr
        assert shown(done) == dict.fromkeys(("answers", "calls tools", "counts tokens", "context", "price"), True)
        assert "1, cached 0.1, answer 4 USD per million" in done.stdout
        assert "503 unavailable; again in" in done.stderr
        assert len(provider.requests) == 2
        assert provider.counted.prompt < 200


def test_json_tells_the_same(doctor: Doctor) -> None:
    with serving([SUM], key=KEY) as provider:
        told: dict[str, Any] = json.loads(doctor(provider, "--json").stdout)
        counted = provider.counted
    assert told["works"] is True
    assert (told["prompt_tokens"], told["completion_tokens"]) == (counted.prompt, counted.completion)
    assert (told["price"], told["context_tokens"]) == ("", 128_000)


@pytest.mark.parametrize("answer", ["The sum is 5.", ("report_sum", {"total": 6}), ("report_sum", "{"), ("sum", {})])
def test_a_model_that_calls_no_tool_cannot_do_the_work(doctor: Doctor, answer: Answer) -> None:
    with serving([answer], key=KEY) as provider:
        done = doctor(provider)
    assert done.returncode == 3
    assert (shown(done)["answers"], shown(done)["calls tools"]) == (True, False)


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        (Fault.BAD_KEY, "401: the key was refused (the key is in AVO_API_KEY)"),
        (Fault.NO_MODEL, "404: The model does not exist"), (Fault.UNPAID, "no quota left: 402"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line(doctor: Doctor, fault: Fault, line: str) -> None:
    with serving([SUM], {0: fault}, key=KEY) as provider:
        done = doctor(provider)
    (told,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (3, "")
    assert line in told
    assert KEY not in told


def test_a_wrong_address_is_named(cli: Cli) -> None:
    done = cli("doctor", "--model", "openai-compatible:m", "--base-url", "http://no-such-host.invalid/v1")
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1].endswith("http://no-such-host.invalid/v1: unknown host; is the address right?")


def test_the_tuner_needs_no_check(cli: Cli) -> None:
    done = cli("doctor", "--model", "tuner")
    assert (done.returncode, done.stdout) == (0, "the tuner is no language model: there is nothing to check\n")


def test_a_cache_folder_that_cannot_be_written_is_missing(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "file").write_text("")
    assert writing_problem(tmp_path / "new" / "folder") == ""
    assert not list((tmp_path / "new" / "folder").iterdir())
    assert "(set AVO_CACHE)" in writing_problem(tmp_path / "file" / "folder")
    done = cli("doctor", "--json", AVO_CACHE=str(tmp_path / "file" / "folder"))
    assert done.returncode == 3
    assert "cache" in json.loads(done.stdout)["missing"]


AS_ANOTHER = """
import os, sys
from avo.sandbox.confine import libc
libc.personality(8)  # PER_LINUX32: from here on the kernel gives a 32-bit name, as setarch(8) has it
os.execv(sys.executable, [sys.executable, "-c", "from avo.cli import main; main()", "doctor", "--json"])
"""


@pytest.mark.parametrize("unsafe", ["", "1"])
def test_an_architecture_without_filters_is_said(unsafe: str) -> None:
    variables = os.environ | {"AVO_UNSAFE_RUNNER": unsafe}
    run = [sys.executable, "-c", AS_ANOTHER]
    done = subprocess.run(run, capture_output=True, text=True, check=False, env=variables)
    told = json.loads(done.stdout)
    assert told["architecture"] not in ("x86_64", "aarch64")
    assert ("filters" in told["missing"]) == (not unsafe)
    assert not any(so for name, so in told["isolation"].items() if name.startswith(("seccomp", "shell")))
    if unsafe:
        assert told["filters"].endswith("; candidates run without (AVO_UNSAFE_RUNNER)")
    else:
        assert done.returncode == 3
