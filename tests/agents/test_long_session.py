"""Sessions of up to 200 answers over real HTTP, with every fault that a provider, the line or a model is known for.

It ends for the right reason, with the versions of a session without faults, and with the provider's own token counts.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from servers import Answer, Counted, Fault, Provider, serving

from avo.agents.summaries import REQUEST

pytestmark = pytest.mark.slow

TINY = Path(__file__).parents[1] / "tiny"
AVO = (sys.executable, "-c", "from avo.cli import main; main()")
KEY = "sk-loopback-4f1d0c97"
ADVICE = '{"diagnosis": "it reads a lot", "directions": [{"title": "change something"}]}'
READING: list[Answer] = [
    ("lineage", {}), ("read_file", {"path": "matvec.cpp"}), ("attempts", {"last": 5}), ("read_file", {}),
    [("lineage", {}), ("read_file", {"path": "matvec.cpp", "first_line": 1, "last_line": 9})], ("diff", {}),
]  # fmt: skip
EDITS = {
    "four sums": ("SUMS = 1;", "SUMS = 4;"), "sixteen sums": ("SUMS = 4;", "SUMS = 16;"),
    "no sum at all": ("a->y[i] = y;", "a->y[i] = 0;"), "a remark": ("row by row.", "row by row: a remark."),
}  # fmt: skip
STEPS = 5
KINDS = ("openai-compatible", "anthropic")
CONTEXT = 20_000
"""Tokens: little enough for the conversation to be compacted several times."""
ENDING = {
    Fault.BAD_KEY: "401: the key was refused", Fault.FORBIDDEN: "403: not permitted", Fault.NO_MODEL: ": not found",
    Fault.UNPAID: "402 not paid for", Fault.NO_QUOTA: "no quota left: 429",
}  # fmt: skip
"""What only the user can mend: the run ends, and the same command goes on with it."""
QUICK = {"AVO_FIRST_WAIT": "0.01", "AVO_LONGEST_WAIT": "0.05", "AVO_REQUEST_LIMIT": "5"}


def edit(what: str) -> Answer:
    old, new = EDITS[what]
    return ("edit_file", {"path": "matvec.cpp", "old": old, "new": new})


def summary(body: dict[str, Any]) -> Answer | None:
    """What the model makes of a conversation that is to be compacted."""
    return "I tried sums." if REQUEST[:50] in json.dumps(body["messages"][-1]) else None


def session(answers: int) -> list[Answer]:
    """What the worker answers in STEPS steps: two versions, one refused commit, two steps without one."""
    ends: list[list[Answer]] = [
        [edit("four sums"), ("evaluate", {"direction": "four"}), ("commit", {"message": "four sums"}), "Kept it."],
        [edit("no sum at all"), ("commit", {"message": "fast"}), ("end_step", {"reason": "it was wrong"}), "Sorry."],
        [edit("sixteen sums"), ("commit", {"message": "sixteen sums"}), "Kept that, too."],
        [edit("a remark"), ("evaluate", {"direction": "remark"}), ("end_step", {"reason": "no gain"}), "Nothing."],
        [("note", {"text": "enough"}), ("end_step", {"reason": "nothing left"}), "Done."],
    ]
    read = itertools.cycle(READING)
    filling = answers - sum(map(len, ends))
    parts = [filling // STEPS + (step < filling % STEPS) for step in range(STEPS)]
    return [answer for part, end in zip(parts, ends, strict=True) for answer in [*itertools.islice(read, part), *end]]


@dataclass
class Played:
    """A session that is over."""

    run: Path
    told: dict[str, Any]
    ended: list[tuple[int, str]]
    """Exit code and last line of each process that it took."""
    worker: Provider
    supervisor: Provider

    def versions(self) -> list[tuple[str, str]]:
        """Subject and source of every version."""
        commits = [line.partition(" ") for line in self._git("log", "--reverse", "--format=%H %s", "main").splitlines()]
        return [(subject, self._git("show", f"{commit}:matvec.cpp")) for commit, _, subject in commits]

    def _git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self.run / "lineage"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.run / "avo.db")) as db:
            return db.execute(query, values).fetchall()

    def spent(self, agent: str) -> Counted:
        """What the ledger says of an agent's model."""
        ((*tokens, answers),) = self.rows(
            "SELECT SUM(prompt_tokens), SUM(cached_tokens), SUM(completion_tokens), COUNT(*) FROM ledger"
            " WHERE kind='model' AND agent=?", agent,
        )  # fmt: skip
        return Counted(*(count or 0 for count in tokens), answers)


Cli = Callable[..., "CompletedProcess[str]"]


@contextmanager
def played(
    folder: Path, planted: Path, cli: Cli, answers: int, faults: dict[int, Fault], protocol: str, stream: bool = False
) -> Iterator[Played]:
    """Run the same command until it ends as it should."""
    run = Path(shutil.copytree(planted, folder / "run"))
    settings = "".join(f'[models.info."{model}:m"]\ncontext_tokens = {CONTEXT}\n' for model in KINDS)
    (folder / "avo.toml").write_text(f"[models]\nstream = {str(stream).lower()}\n{settings}")
    script = session(answers)
    with serving(script, faults, key=KEY, aside=summary) as worker, serving([ADVICE], key=KEY) as supervisor:
        compatible, claude = (supervisor, worker) if protocol == "anthropic" else (worker, supervisor)
        specs = [f"{kind}:m" for kind in (reversed(KINDS) if protocol == "anthropic" else KINDS)]
        ended: list[tuple[int, str]] = []
        while len(ended) <= len(ENDING) and (not ended or ended[-1][0]):
            done = cli(
                "run", "scenario", TINY, "--run", run, "--steps", STEPS, "--json", "--base-url", compatible.url,
                "--model", specs[0], "--supervisor-model", specs[1], ANTHROPIC_BASE_URL=claude.root,
                AVO_API_KEY=KEY, ANTHROPIC_API_KEY=KEY, NO_PROXY="127.0.0.1", XDG_CONFIG_HOME=str(folder), **QUICK,
            )  # fmt: skip
            assert "Traceback" not in done.stderr
            assert KEY not in done.stdout + done.stderr
            ended.append((done.returncode, done.stderr.splitlines()[-1]))
        assert ended[-1][0] == 0, done.stderr
        yield Played(run, json.loads(done.stdout), ended, worker, supervisor)


def every_fault(answers: int, ending: Sequence[Fault]) -> dict[int, Fault]:
    """Each fault once, evenly over the session; of those that end the run, `ending`."""
    wanted = [fault for fault in Fault if fault in ending or fault not in ENDING]
    return {3 + number * (answers // (len(wanted) + 1)): fault for number, fault in enumerate(wanted)}


def check(session: Played, answers: int, faults: dict[int, Fault]) -> None:
    """It ended as a session without faults does."""
    assert session.told["stop_reason"] == "steps"
    assert [subject for subject, _ in session.versions()][1:] == ["four sums", "sixteen sums"]
    outcomes = [outcome for (outcome,) in session.rows("SELECT outcome FROM steps ORDER BY id")]
    assert outcomes == ["committed", "gave_up", "committed", "gave_up", "gave_up"]
    assert session.worker.played == answers
    assert set(faults) <= set(range(len(session.worker.requests)))
    for agent, provider in (("worker", session.worker), ("supervisor", session.supervisor)):
        counted, spent = provider.counted, session.spent(agent)
        assert (spent.prompt, spent.cached, spent.completion) == (counted.prompt, counted.cached, counted.completion)
    written = [path for path in session.run.rglob("*") if path.is_file()]
    assert not [path for path in written if KEY.encode() in path.read_bytes()]


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[str, str]]]:
    """Versions of the session without faults, once it was played."""
    return {}


def test_a_session_without_faults(tmp_path: Path, planted_run: Path, cli: Cli, expected: dict[str, Any]) -> None:
    with played(tmp_path, planted_run, cli, 40, {}, "openai") as session:
        check(session, 40, {})
        expected["versions"] = session.versions()


@pytest.mark.parametrize("fault", [Fault.HANG, Fault.RATE_LIMITED_FOR])
def test_ctrl_c_ends_a_call_that_hangs_or_waits_and_the_same_command_goes_on(
    tmp_path: Path, planted_run: Path, fault: Fault
) -> None:
    run = Path(shutil.copytree(planted_run, tmp_path / "run"))
    script: list[Answer] = [("lineage", {}), ("end_step", {"reason": "enough"}), "Done."]
    with serving(script, {1: fault}, key=KEY, retry_after="500") as provider:
        command = [*AVO, "run", "scenario", TINY, "--run", run, "--steps", "1", "--json", "--base-url", provider.url]
        settings = {"AVO_API_KEY": KEY, "NO_PROXY": "127.0.0.1", "AVO_MODEL": "openai-compatible:m"}
        told = []
        for _ in range(2):
            with subprocess.Popen(
                [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                cwd=tmp_path, env=os.environ | settings, start_new_session=True,
            ) as process:  # fmt: skip
                while not told and len(provider.requests) < 2:
                    assert process.poll() is None
                    time.sleep(0.05)
                if not told:
                    process.send_signal(signal.SIGINT)
                out, err = process.communicate(timeout=800)  # of 500 or 600 s that it would last
            assert "Traceback" not in err
            told.append((process.returncode, json.loads(out)["stop_reason"]))
        assert told == [(130, "interrupted"), (0, "steps")]
        assert provider.played == len(script)


@pytest.mark.parametrize(
    ("protocol", "stream", "answers", "ending"),
    [
        ("openai", False, 200, (Fault.BAD_KEY, Fault.NO_QUOTA)), ("openai", True, 200, ()),
        ("anthropic", False, 80, (Fault.NO_MODEL,)),
    ],
    ids=("plain", "streaming", "anthropic"),
)  # fmt: skip
def test_a_session_with_every_fault_ends_as_one_without(
    tmp_path: Path, planted_run: Path, cli: Cli, expected: dict[str, Any], protocol: str, stream: bool, answers: int,
    ending: tuple[Fault, ...],
) -> None:  # fmt: skip
    faults = every_fault(answers, ending)
    with played(tmp_path, planted_run, cli, answers, faults, protocol, stream) as session:
        check(session, answers, faults)
        assert session.versions() == expected.get("versions", session.versions())
        *failed, (code, _) = session.ended
        assert [code for code, _ in failed] == [2] * len(ending), failed
        assert all(ENDING[fault] in line for fault, (_, line) in zip(ending, failed, strict=True)), failed
        assert code == 0
        results = [text for (text,) in session.rows("SELECT text FROM messages WHERE kind='result'")]
        assert any("no tool 'compile_and_run'; there are: " in text for text in results)
        assert any("cut" in text and "limit" in text for text in results)
