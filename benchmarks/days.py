"""A day of a run in minutes: thousands of turns over HTTP, with kills, storms of 429 and a context that is too long.

python benchmarks/days.py [TURNS] [KILLS] > benchmarks/results/days.json

A turn is one model call with two tool calls. The model is scripted; provider, journal, team, tools and processes are
real. The worker only uses what is quick: it reads, notes, plans, recalls, and evaluates trees that are known.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests" / "agents")]

from servers import Answer, Fault, Provider, serving  # noqa: E402

CONTEXT_TOKENS = 40_000
LONG = 30_000
"""Characters of a request after which the next may be too long."""
WINDOW = 250
"""Turns of one line of figures."""
TINY = HERE.parent / "tests" / "tiny"
SUMMED = "Sums in a row depend on each other; sixteen of them were faster (attempt 2). Next: the loads."
ADVICE = {"diagnosis": "it repeats itself", "directions": [{"title": "look at the loads", "why": "nobody did"}]}


# ---- the model ------------------------------------------------------------------------------------


class Numbers(list[Any]):
    """Counts requests and keeps none."""

    def append(self, item: Any) -> None:
        super().append(None)


class Storms(dict[int, Fault]):
    """Every 200 requests five 429 in a row; once, in the midst of a step, a conversation that is too long."""

    def __init__(self, mind: Mind, too_long: int) -> None:
        self.mind, self.too_long, self.said = mind, too_long, False

    def get(self, number: int, default: Any = None) -> Fault | Any:
        if number >= self.too_long and not self.said and self.mind.size > LONG:
            self.said = True
            return Fault.TOO_LONG
        return Fault.RATE_LIMITED_FOR if number % 200 in range(100, 105) else default


class Mind:
    """What the model answers, and what it makes of what it is shown."""

    def __init__(self, seed: int = 7) -> None:
        self.rng = random.Random(seed)
        self.turns = self.size = self.longest = self.most = self.summaries = self.advised = 0
        self.problems: list[str] = []
        self.shown: list[dict[str, Any]] = []
        """To the worker, last."""
        self.resumed = False
        """A kill came since."""

    def __call__(self, body: dict[str, Any]) -> Answer:
        messages = body["messages"]
        self._check(messages)
        if "You supervise" in str(messages[0]["content"]):
            self.advised += 1
            return json.dumps(ADVICE)
        if body.get("tool_choice") == "none":
            self.summaries += 1
            return SUMMED
        if self.resumed and not self._goes_on(messages):
            self.problems.append(f"turn {self.turns}: what was shown before the kill is not shown after it")
        self.resumed, self.shown = False, messages
        last = str(messages[-1].get("content", ""))
        if "The step is over" in last:
            return "That was it."
        self.turns += 1
        return self._calls()

    def _calls(self) -> Answer:
        turn = self.turns
        if turn == 2:
            edit = {"path": "matvec.cpp", "old": "SUMS = 1;", "new": "SUMS = 4;"}
            return [("edit_file", edit), ("evaluate", {"direction": "four sums"})]
        if turn % 120 == 0:
            return [("plan", {"direction": f"idea {turn}", "why": "it may help"}), ("end_step", {"reason": "no gain"})]
        if turn % 40 == 0:
            return [("checkout", {"version": "best"}), ("evaluate", {"direction": "again"})]
        if turn % 60 == 1:
            return [("note", {"text": f"lesson {turn}: loads matter"}), ("plan", {"number": 1, "state": "tried"})]
        quick: list[tuple[str, dict[str, Any]]] = [
            ("read_file", {"path": "matvec.cpp"}), ("attempts", {}), ("lineage", {}), ("attempts", {"number": 1}),
            ("read_file", {}), ("read_file", {"version": "v0", "path": "matvec.cpp"}),
            ("recall", {"query": f"lesson {turn // 2}"}),
        ]  # fmt: skip
        return [self.rng.choices(quick, (6, 2, 2, 1, 1, 2, 0.3))[0] for _ in range(2)]

    def _goes_on(self, messages: Sequence[Mapping[str, Any]]) -> bool:
        tail = [message["tool_call_id"] for message in self.shown[-12:] if message["role"] == "tool"]
        now = {message["tool_call_id"] for message in messages if message["role"] == "tool"}
        return not tail or set(tail) <= now or "Messages up to #" in str(messages[1:3])

    def _check(self, messages: Sequence[Mapping[str, Any]]) -> None:
        self.size = len(json.dumps(messages))
        self.longest, self.most = max(self.longest, self.size), max(self.most, len(messages))
        open_calls: set[str] = set()
        for message in messages:
            open_calls |= {entry["id"] for entry in message.get("tool_calls") or ()}
            if message["role"] == "tool":
                if message["tool_call_id"] not in open_calls:
                    self.problems.append(f"turn {self.turns}: a result without its call")
                open_calls.discard(message["tool_call_id"])
        if open_calls:
            self.problems.append(f"turn {self.turns}: a call without its result")


# ---- the run, in a process of its own -------------------------------------------------------------


def child(url: str, folder: Path, turns: int) -> None:
    """Go on with the run until it has had so many turns; figures go to stdout, a line a window."""
    from autogen_core.models import CreateResult, LLMMessage, ModelInfo
    from autogen_ext.models.openai import OpenAIChatCompletionClient

    from avo.agents.models.client import Client
    from avo.agents.models.resilient import Resilient
    from avo.agents.team import Team
    from avo.configuration import Retries
    from avo.evolve import evolve
    from avo.run import open_run, plant_seed
    from avo.scenarios.loader import load

    info = ModelInfo(vision=False, function_calling=True, json_output=True, family="unknown", structured_output=False)
    inner = OpenAIChatCompletionClient(model="scripted", base_url=url, api_key="none", model_info=info, max_retries=0)
    retries = Retries(first_wait=0.01, longest_wait=0.05)
    provider = Resilient(inner, "scripted", url, retries=retries, context_tokens=CONTEXT_TOKENS)

    class Clocked(Client):
        """Notes the CPU time between an answer and the next question: what avo and its tools take."""

        context_tokens = CONTEXT_TOKENS

        def __init__(self) -> None:
            self.turns, self.left, self.window = 0, 0.0, list[float]()

        async def create(self, messages: Sequence[LLMMessage], **options: Any) -> CreateResult:
            if self.left:
                self.window.append((time.process_time() - self.left) * 1e3)
            if len(self.window) == WINDOW:
                tell(self)
            result = await provider.create(messages, **options)
            self.turns, self.left = self.turns + 1, time.process_time()
            return result

    def tell(model: Clocked) -> None:
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
        times = sorted(model.window)
        told = {
            "turns": done + model.turns, "of this process": model.turns, "resident_mb": round(resident, 1),
            "median_cpu_ms": round(statistics.median(times), 2), "p95_cpu_ms": round(times[int(0.95 * len(times))], 2),
        }  # fmt: skip
        print(json.dumps(told), flush=True)
        model.window.clear()

    def failed(error: Exception) -> str:
        print(json.dumps({"failed": repr(error)[:200]}), flush=True)
        return repr(error)

    def reached(journal: Any, lineage: Any) -> str:
        return "turns" if done + model.turns >= turns else ""

    with open_run(folder, load(str(TINY)), "cpu", "scripted") as workspace:
        done = len(workspace.journal.call_times("worker", "", -1))
        model = Clocked()
        asyncio.run(plant_seed(workspace))
        workspace.journal.begin_session()
        team = Team(workspace, model, provider, lambda: bool(reached(None, None)))
        print(json.dumps({"stopped": asyncio.run(evolve(workspace, team.vary, reached, failed))}), flush=True)


# ---- the day --------------------------------------------------------------------------------------


def day(turns: int, kills: int, folder: Path) -> dict[str, Any]:
    """Run it, kill it, start it again; what happened."""
    rng, mind = random.Random(2603), Mind()
    at = sorted(rng.randrange(turns // 20, turns // 2) for _ in range(kills))
    lines: list[dict[str, Any]] = []
    began, killed, starts = time.monotonic(), 0, 0
    with serving(mind) as provider:
        provider.requests, provider.faults = Numbers(), Storms(mind, too_long=turns * 9 // 10)
        while starts <= kills + 3:
            starts += 1
            process = start(provider, folder, turns)
            while process.poll() is None:
                if at and mind.turns >= at[0]:
                    process.send_signal(signal.SIGKILL)
                    process.wait()
                    at.pop(0)
                    killed, mind.resumed = killed + 1, True
                    break
                time.sleep(0.01)
            assert process.stdout is not None
            lines += [json.loads(line) for line in process.stdout.read().splitlines() if line.endswith("}")]
            if process.returncode not in (0, -signal.SIGKILL):
                mind.problems.append(f"a process ended with {process.returncode}")
            if process.returncode == 0:
                break
        requests = len(provider.requests)
    figures = [line for line in lines if "turns" in line]
    mind.problems += [line["failed"] for line in lines if "failed" in line] + sound(folder)
    return {
        "turns": mind.turns, "requests": requests, "refused": requests - provider.counted.answers, "kills": killed,
        "minutes": round((time.monotonic() - began) / 60, 1), "problems": mind.problems,
        "longest_request_characters": mind.longest, "most_messages_shown": mind.most,
        "summaries_by_the_model": mind.summaries, "advice": mind.advised,
        **stored(folder), "windows": figures, **judged(figures),
    }  # fmt: skip


def start(provider: Provider, folder: Path, turns: int) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, "child", provider.url, str(folder), str(turns)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def judged(figures: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Growth of the process that lived longest, after its first 500 turns."""
    own: list[list[Mapping[str, Any]]] = []
    for line in figures:
        if not own or line["of this process"] < own[-1][-1]["of this process"]:
            own.append([])
        own[-1].append(line)
    longest = [line for line in max(own, key=len, default=[]) if line["of this process"] >= 500]
    if len(longest) < 2:
        return {}
    first, last = longest[0], longest[-1]
    return {
        "resident_growth": round(max(line["resident_mb"] for line in longest) / first["resident_mb"] - 1, 3),
        "median_cpu_ms_first_and_last": [first["median_cpu_ms"], last["median_cpu_ms"]],
        "p95_cpu_ms_first_and_last": [first["p95_cpu_ms"], last["p95_cpu_ms"]],
    }


def stored(folder: Path) -> dict[str, Any]:
    """What the journal holds and how large it is."""
    with sqlite3.connect(folder / "avo.db") as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        count, text = db.execute("SELECT COUNT(*), SUM(LENGTH(CAST(text AS BLOB))) FROM messages").fetchone()
        calls = db.execute("SELECT SUM(LENGTH(tool) - LENGTH(REPLACE(tool, ',', '')) + 1) FROM messages"
                           " WHERE kind='call'").fetchone()[0]  # fmt: skip
        digests = db.execute("SELECT COUNT(*) FROM summaries WHERE writer='digest'").fetchone()[0]
    size = (folder / "avo.db").stat().st_size
    return {
        "messages": count, "tool_calls": calls, "digests": digests, "database_mb": round(size / 1e6, 1),
        "bytes_beyond_the_text_per_message": round((size - text) / count),
    }  # fmt: skip


def sound(folder: Path) -> list[str]:
    """What is wrong with the journal."""
    with sqlite3.connect(folder / "avo.db") as db:
        problems = [row[0] for row in db.execute("PRAGMA integrity_check") if row[0] != "ok"]
        twice = db.execute("SELECT COUNT(*) - COUNT(DISTINCT tree) FROM attempts").fetchone()[0]
    return problems + (["a tree was evaluated twice"] if twice else [])


if __name__ == "__main__":
    if sys.argv[1:2] == ["child"]:
        child(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
    else:
        with tempfile.TemporaryDirectory() as scratch:
            turns, kills = (int(argument) for argument in (sys.argv[1:3] + ["5060", "12"][len(sys.argv) - 1 :]))
            print(json.dumps(day(turns, kills, Path(scratch) / "run"), indent=1))
