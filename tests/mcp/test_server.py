"""`avo mcp`: an agent of the user's own over the official client, real processes, real kills."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mcp import McpError

from avo.installation import how_to_install
from avo.memory.journal.journal import AGENT, EXTERNAL, Journal
from avo.memory.journal.steering import steer
from avo.memory.lineage import Lineage
from avo.run import existing
from avo.settings import PACKAGE
from avo.tools.devices.lease import lease

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
from mcp_client import BOOT, TINY, Agent, connected, play, server  # noqa: E402

pytestmark = pytest.mark.slow

FASTER = {"path": "matvec.cpp", "old": "SUMS = 1;", "new": "SUMS = 16;"}
WRONG = {"path": "matvec.cpp", "old": "a->y[i] = y;", "new": "a->y[i] = y * 1.01f;"}
HELLO = {
    "jsonrpc": "2.0", "id": 1, "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}},
}  # fmt: skip
LIST = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "lineage", "arguments": {}}}
SOON = 120
"""Seconds after which something that was to end has not, on the slowest machine."""
OWN = f"3197.{os.getpid()}"  # what no process of another test run sleeps for


@pytest.fixture
def run(tmp_path: Path, planted_run: Path) -> Path:
    return Path(shutil.copytree(planted_run, tmp_path / "run"))


def said(run: Path) -> list[tuple[str, str | None, str]]:
    return [(m.kind, m.tool, m.text) for m in existing(run)[0].messages(EXTERNAL)]


def lines(*messages: dict[str, Any]) -> bytes:
    """What a client writes: the second message follows on the server's greeting."""
    begun = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    return "".join(json.dumps(message) + "\n" for message in (messages[0], begun, *messages[1:])).encode()


def until(true: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + SOON
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


async def called(run: Path, tool: str) -> None:
    """Wait until the last message is a call of that tool."""
    async with asyncio.timeout(SOON):
        while [entry[:2] for entry in said(run)[-1:]] != [("call", tool)]:
            await asyncio.sleep(0.01)


def free(run: Path) -> bool:
    """Whether nobody holds the run."""
    return subprocess.run(["flock", "--nonblock", str(run / "lock"), "true"], check=False).returncode == 0


def test_an_agent_reads_the_brief_improves_the_kernel_and_commits(tmp_path: Path, cli: Any) -> None:
    run = tmp_path / "new"

    async def part(agent: Agent) -> None:
        tools = {tool.name: tool for tool in (await agent.session.list_tools()).tools}
        assert {"read_file", "edit_file", "shell", "evaluate", "commit", "kb_search", "end_step"} <= set(tools)
        assert tools["edit_file"].inputSchema["required"] == ["path", "old", "new"]
        assert tools["commit"].description.startswith("Keep the work tree as a new version")
        assert [tools[name].annotations.readOnlyHint for name in ("read_file", "commit")] == [True, False]
        (prompt,) = (await agent.session.list_prompts()).prompts
        (message,) = (await agent.session.get_prompt(prompt.name)).messages
        listed = [str(resource.uri) for resource in (await agent.session.list_resources()).resources]
        assert listed == ["avo://brief", "avo://lineage", "avo://notes"]
        assert "Make y = A x fast" in message.content.text == await agent.resource("avo://brief")
        assert "SUMS = 1;" in await agent.call("read_file", path="matvec.cpp")
        assert await agent.call("edit_file", **FASTER) == "edited matvec.cpp"
        assert "and the edits since" in await agent.resource("avo://brief")
        assert (await agent.call("evaluate", direction="sixteen sums")).startswith("attempt 2: PASSED")
        told = await agent.call("commit", message="sixteen sums\n\nthey are independent")
        assert told.startswith("committed as v1, an improvement: ")
        assert told.endswith("Step 1 is over, step 2 begins: the work tree holds v1.")
        assert "answer with" not in told
        assert "sixteen sums" in await agent.resource("avo://lineage")
        await agent.call("note", text="independent sums hide the latency of an addition")
        assert "hide the latency" in await agent.resource("avo://notes")
        assert await agent.call("end_step", reason="enough") == "Step 2 is over, step 3 begins: the work tree holds v1."

    play(run, part)
    journal, lineage = existing(run)
    assert lineage.best().message == "sixteen sums\n\nthey are independent"
    assert [attempt.direction for attempt in journal.attempts()] == ["the seed", "sixteen sums"]
    steps = [(step["operator"], step["outcome"], step["summary"]) for step in journal.steps()]
    assert steps == [
        (EXTERNAL, "committed", "v1: sixteen sums"), (EXTERNAL, "gave_up", "enough"), (EXTERNAL, None, None),
    ]  # fmt: skip
    log = json.loads(cli("memory", "log", "--agent", "external", "--json", "--run", run).stdout)
    calls = [(entry["kind"], entry["tool"]) for entry in log if entry["tool"] in ("edit_file", "commit")]
    assert calls == [("call", "edit_file"), ("result", "edit_file"), ("call", "commit"), ("result", "commit")]
    assert 'edit_file({"path": "matvec.cpp", "old": "SUMS = 1;"' in next(e["text"] for e in log if e["kind"] == "call"
                                                                         and e["tool"] == "edit_file")  # fmt: skip
    assert [entry["kind"] for entry in log].count("task") == 3


def test_the_gate_and_the_work_tree_hold_for_a_client_too(run: Path) -> None:
    secret = run / "run.toml"

    async def part(agent: Agent) -> None:
        await agent.call("edit_file", **WRONG)
        assert "INCORRECT_NUMERICAL" in await agent.call("evaluate", direction="a little more")
        told = await agent.refused("commit", message="it is right, trust me")
        assert told.startswith("commit: refused: it does not pass")
        for path in ("../run.toml", "/etc/passwd", str(secret), ".git/config", "a/../../avo.db"):
            assert "is not in the work tree" in await agent.refused("read_file", path=path)
            assert "is not in the work tree" in await agent.refused("write_file", path=path, content="x")
        (run / "lineage" / "way_out.cpp").symlink_to(secret)
        assert "way_out.cpp is a link" in await agent.refused("read_file", path="way_out.cpp")
        (run / "lineage" / "way_out.cpp").unlink()
        outside = await agent.call("shell", command=f"cat {secret}; ls {run}; echo x > {secret}")
        assert "scenario =" not in outside
        assert "avo.db" not in outside
        assert "there are: read_file" in await agent.refused("rm", path="/")
        assert "Extra inputs are not permitted" in await agent.refused("evaluate", direction="x", score=1e9)
        assert "path: Field required" in await agent.refused("write_file", content="x")
        await agent.call("note", text="half a character: \ud800".encode("utf-8", "replace").decode())

    before = secret.read_text()
    play(run, part)
    assert secret.read_text() == before
    assert [version.name for version in existing(run)[1].versions()] == ["v0"]
    assert existing(run)[0].comparisons() == []


def test_a_long_call_blocks_nothing_tells_its_progress_and_ends_when_the_client_calls_it_off(run: Path) -> None:
    async def part(agent: Agent) -> None:
        long = asyncio.create_task(agent.try_("shell", command=f"echo begun; sleep {OWN}", seconds=400))
        while sum(note.startswith("shell: ") for note in agent.said) < 2:
            await agent.session.send_ping()
            assert "matvec.cpp" in await agent.call("read_file")
            await asyncio.sleep(0.05)
        waiting = asyncio.create_task(agent.try_("evaluate", direction="after it"))
        await asyncio.sleep(0.1)
        for request in reversed(agent.pending()):
            await agent.call_off(request)
        for task in (waiting, long):
            with pytest.raises(McpError, match="cancelled"):
                await asyncio.wait_for(task, SOON)
        again = asyncio.wait_for(agent.call("evaluate", direction="at last"), SOON)
        assert "these sources were scored before" in await again

    play(run, part)
    assert [text for kind, tool, text in said(run) if tool == "shell"][1] == "shell: stopped by the client"
    assert [kind for kind, tool, _ in said(run) if tool == "evaluate"] == ["call", "result"]
    until(lambda: subprocess.run(["pgrep", "-f", OWN], capture_output=True).returncode, "it sleeps on")


def test_an_evaluation_that_was_called_off_is_made_again(run: Path) -> None:
    async def part(agent: Agent) -> None:
        await agent.call("edit_file", **FASTER)
        with lease("cpu"):  # so it cannot be done before it is called off
            task = asyncio.create_task(agent.try_("evaluate", direction="cut short"))
            await called(run, "evaluate")
            await agent.call_off(agent.pending()[0])
            with pytest.raises(McpError, match="cancelled"):
                await asyncio.wait_for(task, SOON)
        assert "PASSED" in await agent.call("evaluate", direction="once more")

    play(run, part)
    assert ("result", "evaluate", "evaluate: stopped by the client") in said(run)
    assert [str(attempt.verdict.status) for attempt in existing(run)[0].attempts()] == ["PASSED"] * 2


def kill(run: Path, tmp_path: Path, who: str, tool: str, moment: float) -> None:
    """Start a client, let it edit, call `tool`, and kill one side `moment` seconds after the call was journalled."""
    script = tmp_path / "client.py"
    arguments = {"direction": "wider"} if tool == "evaluate" else {"message": "sixteen sums"}
    script.write_text(f"""
import asyncio, os, sys
sys.path.insert(0, {str(HERE)!r})
from pathlib import Path
from mcp_client import connected, server
async def main():
    parameters = server(Path({str(run)!r}))
    parameters.args = ["-c", "import os, sys; open(sys.argv[1], 'w').write(str(os.getpid())); "
                       "sys.argv = ['avo', *sys.argv[2:]]; " + parameters.args[1],
                       {str(tmp_path / "pid")!r}, *parameters.args[2:]]
    async with connected(parameters) as agent:
        await agent.try_("edit_file", **{FASTER!r})
        await agent.try_({tool!r}, **{arguments!r})
        await agent.try_("shell", command="sleep 60", seconds=60)
asyncio.run(main())
""")
    calls = len(said(run))
    client = subprocess.Popen([sys.executable, script], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: any(entry[:2] == ("call", tool) for entry in said(run)[calls:]), f"{tool} was not called")
        time.sleep(moment)
        os.kill(client.pid if who == "client" else int((tmp_path / "pid").read_text()), signal.SIGKILL)
        until(lambda: free(run), "the run is still held")
    finally:
        client.kill()
        client.wait()


@pytest.mark.parametrize("who", ["client", "server"])
@pytest.mark.parametrize("tool", ["evaluate", "commit"])
def test_killed_in_the_middle_nothing_is_lost_and_the_next_start_goes_on(
    who: str, tool: str, run: Path, tmp_path: Path
) -> None:
    moment = random.Random(os.urandom(8)).uniform(0, 0.1 if tool == "evaluate" else 1.2)
    kill(run, tmp_path, who, tool, moment)
    told = f"{who} killed {moment:.3f} s into {tool}"
    journal, lineage = existing(run)
    before, versions = journal.attempts(), lineage.versions()
    assert "SUMS = 16" in (run / "lineage" / "matvec.cpp").read_text(), told

    async def part(agent: Agent) -> None:
        text, worked = await agent.try_("commit", message="sixteen sums, again")
        assert worked is (len(versions) == 1), (told, text)
        assert "v1" in text, told

    play(run, part)
    journal, lineage = existing(run)
    assert [version.name for version in lineage.versions()] == ["v0", "v1"], told
    assert journal.attempts()[: len(before)] == before, told
    assert len({attempt.tree for attempt in journal.attempts()}) == journal.count("attempts") == 2, told
    kinds = [kind for kind, name, _ in said(run) if name == tool]
    assert kinds.count("call") == kinds.count("result"), told
    if tool == "evaluate":
        answers = [text for kind, name, text in said(run) if (kind, name) == ("result", tool)]
        stopped = "evaluate: stopped by the client" if who == "client" else "[interrupted: avo ended during this call"
        assert answers[0].startswith((stopped, "attempt 2: PASSED")), told  # where it is quick it may be done by then
    assert [step["outcome"] for step in journal.steps() if step["ended"]] == ["committed"], told


def test_edits_of_an_older_version_outlive_a_restart(run: Path) -> None:
    async def first(agent: Agent) -> None:
        await agent.call("edit_file", **FASTER)
        await agent.call("commit", message="sixteen sums")
        await agent.call("checkout", version="v0")
        await agent.call("edit_file", **(FASTER | {"new": "SUMS = 4;"}))

    async def second(agent: Agent) -> None:
        assert "SUMS = 4;" in await agent.call("read_file", path="matvec.cpp")
        assert "and the edits since" in await agent.resource("avo://brief")

    play(run, first)
    play(run, second)


def test_a_held_run_is_one_line(run: Path, cli: Any) -> None:
    async def part(agent: Agent) -> None:
        done = await asyncio.to_thread(cli, "mcp", TINY, "--target", "cpu", "--run", run)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"avo: {run} is in use by another avo process\n"
        assert await asyncio.to_thread(free, run) is False

    play(run, part)
    assert free(run)


def test_a_signal_ends_the_server_and_leaves_the_step_open(run: Path) -> None:
    command = [sys.executable, "-c", BOOT, "mcp", str(TINY), "--target", "cpu", "--run", str(run)]
    for number in (signal.SIGINT, signal.SIGTERM):
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as server:
            assert server.stdin
            assert server.stdout
            assert server.stderr
            server.stdin.write(lines(HELLO, LIST))
            server.stdin.flush()
            answers = [json.loads(server.stdout.readline())["id"] for _ in "12"]
            server.send_signal(number)
            assert server.wait(SOON) == 130
            assert (answers, server.stdout.read(), server.stderr.read()) == ([1, 2], b"", b"")
    assert [step["ended"] for step in existing(run)[0].steps()] == [None]


def test_only_the_protocol_is_on_standard_output(own_scenario: Path, tmp_path: Path) -> None:
    """What a reference, a library or a child prints would break the client's parser."""
    reference = own_scenario / "reference.py"
    loud = "print('printed')\nos.write(1, b'written\\n')\nos.system('echo from a child')\n"
    reference.write_text(f"{reference.read_text()}\nimport os\n{loud}")
    command = [sys.executable, "-c", BOOT, "mcp", str(own_scenario), "--target", "cpu", "--run", str(tmp_path / "run")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdin.write(lines(HELLO, LIST) + b"this is no JSON\n")
        process.stdin.flush()
        ids = set()
        while ids != {1, 2}:
            ids.add(json.loads(process.stdout.readline()).get("id", 0) or 0)
            ids.discard(0)
        process.stdin.close()
        for line in process.stdout:
            json.loads(line)
        errors = process.stderr.read().decode()
    assert {"printed", "written", "from a child"} <= set(errors.splitlines())


def test_an_agents_interrupted_step_is_taken_over_with_its_edits(run: Path) -> None:
    source = run / "lineage" / "matvec.cpp"
    source.write_text(source.read_text().replace(FASTER["old"], FASTER["new"]))
    journal = Journal(run / "avo.db")
    journal.open_step("v0")
    journal.close()

    async def part(agent: Agent) -> None:
        assert "and the edits since" in await agent.resource("avo://brief")
        assert "SUMS = 16;" in await agent.call("read_file", path="matvec.cpp")

    play(run, part)
    steps = [(step["operator"], step["outcome"]) for step in existing(run)[0].steps()]
    assert steps == [(AGENT, "interrupted"), (EXTERNAL, None)]


def test_what_a_person_says_reaches_the_client_once(run: Path) -> None:
    async def part(agent: Agent) -> None:
        journal = Journal(run / "avo.db")
        steer(journal, "leave BACKWARDS alone")
        journal.close()
        assert (await agent.call("read_file")).endswith("[a person says: leave BACKWARDS alone]")
        assert "person" not in await agent.call("read_file")
        journal = Journal(run / "avo.db")
        steer(journal, "and ROWS")
        journal.close()
        assert (await agent.call("end_step", reason="enough")).endswith("[a person says: and ROWS]")

    play(run, part)


def test_a_seed_that_scores_nothing_is_told_to_the_client(own_scenario: Path, tmp_path: Path) -> None:
    source = own_scenario / "seed" / "matvec.cpp"
    source.write_text(source.read_text().replace(WRONG["old"], WRONG["new"]))

    async def part(agent: Agent) -> None:
        assert "the seed of tiny scores nothing: INCORRECT" in await agent.refused("read_file")
        with pytest.raises(McpError, match="scores nothing"):
            await agent.resource("avo://brief")
        with pytest.raises(McpError, match="there are: avo://brief"):
            await agent.resource("avo://secrets")

    play(tmp_path / "run", part, own_scenario)


def test_the_printed_configurations_start_the_server(cli: Any, tmp_path: Path, run: Path) -> None:
    entries = []
    for client in ("claude", "cursor", "codex"):
        done = cli("mcp", TINY, "--target", "cpu", "--run", "run", "--print-config", client)
        assert done.returncode == 0, done.stderr
        read = tomllib.loads if client == "codex" else json.loads
        entries.append(read(done.stdout)["mcp_servers" if client == "codex" else "mcpServers"]["avo"])
    assert entries[2].pop("tool_timeout_sec") >= 600
    assert entries[2].pop("startup_timeout_sec") >= 30
    assert entries[0] == entries[1] == entries[2]
    assert str(run) in entries[0]["args"]
    parameters = server(run)
    parameters.command, parameters.args, parameters.env = (entries[0][key] for key in ("command", "args", "env"))
    parameters.cwd = "/"

    async def whole() -> str:
        async with connected(parameters) as agent:
            return await agent.call("lineage")

    assert asyncio.run(whole()).startswith("v0 ")


def test_without_the_sdk_one_line_says_how_to_get_it(cli: Any, tmp_path: Path, run: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] == 'mcp':\n"
        "            raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Absent())\n"
    )
    done = cli(
        "mcp", TINY, "--target", "cpu", "--run", run, PYTHONPATH=f"{tmp_path / 'site'}{os.pathsep}{PACKAGE.parent}"
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == f"avo: avo mcp needs the MCP SDK: {how_to_install('mcp')}\n"
    assert Lineage(run / "lineage").best().name == "v0"
    with sqlite3.connect(run / "avo.db") as db:
        assert db.execute("SELECT COUNT(*) FROM steps").fetchone() == (0,)
