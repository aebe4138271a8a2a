"""What people tell a run while another process is at it: words for the worker, and to pause."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from servers import Provider, serving

AVO = (sys.executable, "-c", "from avo.cli import main; main()")
TINY = Path(__file__).parents[1] / "tiny"
TEXT = "leave BACKWARDS alone"
END: list[Any] = [("end_step", {"reason": "enough"}), "done"]
Cli = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path, planted_run: Path) -> Path:
    return Path(shutil.copytree(planted_run, tmp_path / "run"))


def ending(body: dict[str, Any]) -> Any:
    """The next of END."""
    return END["end_step" in json.dumps(body["messages"][-2:])]


@contextmanager
def begin(run: Path, provider: Provider) -> Iterator[subprocess.Popen[str]]:
    """`avo run` in a process of its own, which ends with the block."""
    command = [*AVO, "run", "scenario", str(TINY), "--run", str(run), "--model", "openai:scripted", "--steps", "1"]
    environment = os.environ | {"OPENAI_BASE_URL": provider.url, "OPENAI_API_KEY": "k-scripted-0001"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def asked(provider: Provider) -> list[list[str]]:
    """What people told the worker, as each request shows it."""
    contents = [[str(message.get("content")) for message in request.body["messages"]] for request in provider.requests]
    return [[text for text in texts if TEXT in text] for texts in contents]


def line_with(process: subprocess.Popen[str], text: str) -> str:
    assert process.stderr is not None
    lines: Iterator[str] = iter(process.stderr.readline, "")
    return next(line for line in lines if text in line)


@pytest.mark.slow
def test_a_text_reaches_the_worker_of_another_process_before_its_next_call(run: Path, cli: Cli) -> None:
    said = []

    def play(body: dict[str, Any]) -> Any:
        if not said:  # while the worker waits for this answer
            said.append(cli("steer", TEXT, "--run", run))
            return ("read_file", {})
        return ending(body)

    with serving(play) as provider, begin(run, provider) as process:
        _, err = process.communicate(timeout=800)
    assert process.returncode == 0, err
    assert said[0].stdout == f"{run}: text 1 is kept; the worker reads it before its next model call\n"
    assert [len(texts) for texts in asked(provider)] == [0, 1, 1]
    log = cli("memory", "log", "--run", run).stdout
    (line,) = [line for line in log.splitlines() if "steering" in line]
    assert TEXT in line
    (kinds,) = [[message["kind"] for message in json.loads(cli("memory", "log", "--run", run, "--json").stdout)]]
    assert kinds[:5] == ["task", "call", "result", "steering", "call"]


@pytest.mark.slow
def test_a_text_that_nobody_was_there_for_waits_for_the_next_start(run: Path, cli: Cli) -> None:
    assert cli("steer", TEXT, "--run", run).returncode == 0
    assert "steering: 1 said to the worker, 1 not seen yet" in cli("memory", "stats", "--run", run).stdout
    with serving(END) as provider, begin(run, provider) as process:
        _, err = process.communicate(timeout=800)
    assert process.returncode == 0, err
    assert [len(texts) for texts in asked(provider)] == [1, 1]
    with sqlite3.connect(run / "avo.db") as db:
        assert db.execute("SELECT COUNT(*) FROM messages WHERE kind='steering'").fetchone() == (1,)


@pytest.mark.slow
def test_a_pause_outlasts_a_kill_and_ctrl_c_until_the_run_is_told_to_go_on(run: Path, cli: Cli) -> None:
    paused = threading.Event()

    def play(body: dict[str, Any]) -> Any:
        if not paused.is_set():
            assert cli("pause", "--run", run).stdout == f"{run}: paused\n"
            paused.set()
            return ("note", {"text": "before the pause"})
        return ending(body)

    with serving(play) as provider:
        with begin(run, provider) as process:
            assert "no model call is made until avo resume" in line_with(process, "paused since")
            with sqlite3.connect(run / "avo.db") as db:
                assert db.execute("SELECT text FROM notes").fetchall() == [("before the pause",)]
            process.kill()
        with begin(run, provider) as process:
            line_with(process, "paused since")
            process.terminate()
            out, err = process.communicate(timeout=800)
            assert process.returncode == 130, err
            assert out.startswith("interrupted: ")
        assert "was paused already, since 2" in cli("pause", "--run", run).stdout
        assert json.loads(cli("memory", "stats", "--run", run, "--json").stdout)["paused"].startswith("2")
        with begin(run, provider) as process:
            assert "Ctrl-C ends avo and keeps the pause" in line_with(process, "paused since")
            assert cli("steer", TEXT, "--run", run).returncode == 0
            assert len(provider.requests) == 1
            assert cli("resume", "--run", run).stdout == f"{run}: goes on\n"
            _, err = process.communicate(timeout=800)
        assert process.returncode == 0, err
        assert "goes on" in err
    assert [len(texts) for texts in asked(provider)] == [0, 1, 1]
    assert cli("resume", "--run", run).stdout == f"{run}: was not paused\n"


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (("steer", "", "--run", "run"), 2, "nothing to tell the worker"),
        (("steer", " \n\t", "--run", "run"), 2, "nothing to tell the worker"),
        (("steer", "x" * 4001, "--run", "run"), 2, "has 4001 characters; at most 4000"),
        (("steer", "x", "--run", "nowhere"), 3, "no run in nowhere"),
        (("steer", "x"), 3, "no run in runs/"),
        (("pause", "--run", "nowhere"), 3, "no run in nowhere"),
        (("resume", "--run", "nowhere"), 3, "no run in nowhere"),
    ],
)
def test_a_mistake_is_one_line(run: Path, cli: Cli, arguments: tuple[str, ...], code: int, line: str) -> None:
    done = cli(*arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith("avo: ")
    assert line in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (run.parent / "nowhere").exists()
