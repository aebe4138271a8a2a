"""What a run may cost: it stops before the call that goes beyond a limit, and a higher limit pays nothing twice."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from servers import Fault, serving

from avo.evolve import Limits
from avo.memory.journal.steering import go_on, pause, paused
from avo.operators.caps import Caps
from avo.tools.workspace import Workspace

AVO = (sys.executable, "-c", "from avo.cli import main; main()")
TINY = Path(__file__).parents[1] / "tiny"
THOUGHT = ("note", {"text": "an idea"})
CALL = 0.01
"""USD of one answer that is THOUGHT, under the prices of `priced`."""
Cli = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path, planted_run: Path) -> Path:
    return Path(shutil.copytree(planted_run, tmp_path / "run"))


@pytest.fixture
def priced(tmp_path: Path) -> dict[str, str]:
    """The environment in which the model `scripted` costs CALL for each THOUGHT, and nothing for its prompt."""
    tokens = len(json.dumps([THOUGHT])) // 4 + 1
    (tmp_path / "prices.toml").write_text(f'[prices]\n"scripted" = [0, 0, {CALL * 1e6 / tokens}]\n')
    return {"AVO_PRICES": str(tmp_path / "prices.toml"), "OPENAI_API_KEY": "k-scripted-0001"}


def rows(run: Path, query: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(run / "avo.db") as db:
        return db.execute(query).fetchall()


def held(run: Path) -> dict[Path, bytes]:
    """All files of a run, but for what SQLite keeps beside its database while somebody reads."""
    return {path: path.read_bytes() for path in run.rglob("*") if path.is_file() and path.suffix[:4] != ".db-"}


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of a command that was refused."""
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    return line


@pytest.mark.slow
def test_the_call_that_would_go_beyond_the_budget_is_not_made_and_none_is_paid_twice(
    run: Path, cli: Cli, priced: dict[str, str]
) -> None:
    with serving([THOUGHT]) as provider:
        environment = priced | {"OPENAI_BASE_URL": provider.url}
        told = []
        for budget, calls in ((3.5, 3), (3.5, 3), (5.2, 5)):
            done = cli(
                "run", "scenario", TINY, "--run", run, "--model", "openai:scripted", "--budget-usd", budget * CALL,
                "--json", **environment,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            told.append(json.loads(done.stdout))
            assert len(provider.requests) == calls
            (run / "lineage" / "half_of_an_edit.h").touch()  # the step is open, and its edits stay
    assert [entry["stop_reason"] for entry in told] == ["budget"] * 3
    assert rows(run, "SELECT outcome FROM steps") == [(None,)]
    assert (run / "lineage" / "half_of_an_edit.h").exists()
    assert told[-1]["usd"] == pytest.approx(5 * CALL)
    ledger = rows(
        run, "SELECT model, usd, prompt_tokens, completion_tokens, cached_tokens FROM ledger WHERE kind='model'"
    )
    assert {row[0] for row in ledger} == {"openai:scripted"}
    assert [row[1] for row in ledger] == [pytest.approx(CALL)] * 5
    assert sum(row[2] for row in ledger) == provider.counted.prompt
    assert sum(row[3] for row in ledger) == provider.counted.completion
    assert sum(row[4] for row in ledger) == provider.counted.cached > 0
    assert rows(run, "SELECT COUNT(*) FROM notes") == [(5,)]
    assert rows(run, "SELECT COUNT(*) FROM messages WHERE kind='call'") == [(5,)]


def test_without_a_price_a_budget_is_refused_with_the_way_to_give_one(tmp_path: Path, cli: Cli) -> None:
    line = refused(cli("run", "scenario", TINY, "--model", "openai:gpt-unheard-of", "--budget-usd", 1))
    assert "needs the price of 'openai:gpt-unheard-of'" in line
    assert '"openai:gpt-unheard-of" = [PROMPT, CACHED, COMPLETION]' in line
    assert "AVO_PRICES" in line
    assert not (tmp_path / "runs").exists()


def test_what_has_no_price_is_counted_in_tokens_and_said_to_be_unknown(run: Path, cli: Cli) -> None:
    with serving([("end_step", {"reason": "enough"}), "enough"]) as provider:
        environment = {"OPENAI_BASE_URL": provider.url, "OPENAI_API_KEY": "k-scripted-0001"}
        done = cli("run", "scenario", TINY, "--run", run, "--model", "openai:scripted", "--steps", 1, **environment)
        assert done.returncode == 0, done.stderr
    assert rows(run, "SELECT DISTINCT usd FROM ledger WHERE kind='model'") == [(None,)]
    stats = json.loads(cli("memory", "stats", "--run", run, "--json").stdout)
    (spent,) = [entry for entry in stats["spent"] if entry["kind"] == "model"]
    assert (spent["usd"], spent["unpriced"]) == (None, spent["entries"])
    assert spent["prompt_tokens"] == provider.counted.prompt
    assert "price not known" in cli("memory", "stats", "--run", run).stdout


@pytest.mark.slow
def test_the_evaluations_asked_for_are_made_and_no_more(run: Path, cli: Cli) -> None:
    for most in (2, 4):
        done = cli("run", "scenario", TINY, "--run", run, "--max-attempts", most, "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["stop_reason"] == "attempts"
        assert rows(run, "SELECT COUNT(*) FROM attempts") == [(most,)]


def test_a_sweep_is_cut_at_the_limit_and_says_so(run: Path, cli: Cli, priced: dict[str, str]) -> None:
    sweep = ("sweep", {"knobs": {"SUMS": [4, 16]}, "direction": "more sums"})
    with serving([sweep, THOUGHT]) as provider:
        done = cli(
            "run", "scenario", TINY, "--run", run, "--model", "openai:scripted", "--max-attempts", 2,
            **priced, OPENAI_BASE_URL=provider.url,
        )  # fmt: skip
    assert done.stdout.startswith("attempts: ")
    assert len(provider.requests) == 1
    ((answer,),) = rows(run, "SELECT text FROM messages WHERE kind='result'")
    assert answer == "sweep: a limit of this run ends it here: 1 of 2 were scored just now"


@pytest.mark.slow
@pytest.mark.parametrize("how", ["minutes", "ctrl-c"])
def test_a_model_that_hangs_is_left_at_the_limit_and_at_ctrl_c(
    run: Path, cli: Cli, priced: dict[str, str], how: str
) -> None:
    minutes = ("--minutes", 0.1) if how == "minutes" else ()
    command = ("run", "scenario", TINY, "--run", run, "--model", "openai:scripted", *minutes, "--json")
    with serving([THOUGHT], {0: Fault.HANG}) as provider:
        process = subprocess.Popen(
            [*AVO, *map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=os.environ | priced | {"OPENAI_BASE_URL": provider.url},
        )  # fmt: skip
        while how == "ctrl-c" and not provider.requests:
            assert process.poll() is None
            time.sleep(0.02)
        if how == "ctrl-c":
            process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=800)
    assert json.loads(out)["stop_reason"] == ("time" if how == "minutes" else "interrupted"), err
    assert process.returncode == (0 if how == "minutes" else 130)
    assert rows(run, "SELECT outcome FROM steps") == [(None,)]


def test_a_pause_takes_no_time_and_a_limit_holds_while_it_lasts(workspace: Workspace) -> None:
    async def play(limits: Limits, *, interrupt: bool) -> tuple[float, bool]:
        said: list[str] = []
        caps = Caps(workspace, limits, said.append)
        caps.begin()
        pause(workspace.journal)
        asking = asyncio.create_task(caps.may_call())
        while not said:
            await asyncio.sleep(0.01)
        before = workspace.journal.elapsed()
        await asyncio.sleep(0.1)
        grown = workspace.journal.elapsed() - before
        assert not asking.done()
        if interrupt:
            caps.interrupted = True
        else:
            go_on(workspace.journal)
        return grown, await asking

    assert asyncio.run(play(Limits(minutes=9), interrupt=False)) == (0, True)
    assert asyncio.run(play(Limits(attempts=1), interrupt=False)) == (0, False)
    assert asyncio.run(play(Limits(), interrupt=True)) == (0, False)
    assert paused(workspace.journal)


def test_what_is_polled_while_a_model_is_waited_for_reads_no_database(workspace: Workspace) -> None:
    caps = Caps(workspace, Limits(1, 9, 1, 1, 9), print)
    caps.begin()
    workspace.journal.close()
    assert not caps.stopped()
    caps.interrupted = True
    assert caps.stopped()


def test_a_dry_run_reckons_from_assumptions_then_from_the_run_and_writes_nothing(
    run: Path, tmp_path: Path, cli: Cli, priced: dict[str, str]
) -> None:
    command = ("run", "scenario", TINY, "--model", "openai:gpt-5", "--dry-run", "--json")
    found = json.loads(cli(*command, "--budget-usd", 10, "--steps", 1000).stdout)
    assert found["assumed"]
    assert found["expected"]["stops_by"] == "budget"
    assert found["expected"]["usd"] == pytest.approx(10)
    assert not (tmp_path / "runs").exists()

    with serving([THOUGHT]) as provider:
        command = ("run", "scenario", TINY, "--run", run, "--model", "openai:scripted", "--budget-usd")
        cli(*command, 12.5 * CALL, **priced, OPENAI_BASE_URL=provider.url)
    before = held(run)
    found = json.loads(cli(*command, 32 * CALL, "--dry-run", "--json", **priced).stdout)
    assert held(run) == before
    assert not found["assumed"]
    assert found["so_far"]["usd"] == pytest.approx(12 * CALL)
    assert found["expected"]["calls"] == pytest.approx(20)
    assert found["expected"]["usd"] == pytest.approx(20 * CALL)
    told = cli(*command, 32 * CALL, "--dry-run", **priced).stdout
    assert "about 1.7 steps, 20 calls" in told
    assert told.endswith("nothing was started\n")


@pytest.mark.parametrize("option", ["--budget-usd=-1", "--budget-usd=much", "--max-attempts=-1", "--max-attempts=x"])
def test_a_limit_that_means_nothing_is_named(cli: Cli, option: str) -> None:
    done = cli("run", "scenario", TINY, option)
    assert done.returncode == 2
    assert option.partition("=")[0] in done.stderr


def test_a_run_goes_on_with_its_own_model_when_none_is_named(run: Path, cli: Cli) -> None:
    settings = run / "run.toml"
    settings.write_text(settings.read_text().replace('model = "tuner"', 'model = "openai:gpt-5"'))
    done = cli("run", "scenario", TINY, "--run", run, "--steps", 1, OPENAI_API_KEY="")
    assert done.returncode == 3
    assert "going on with the model of this run: openai:gpt-5" in done.stderr
    assert "model openai:gpt-5 needs a key: set OPENAI_API_KEY" in done.stderr
