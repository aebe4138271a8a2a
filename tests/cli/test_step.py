"""A step of one's own by commands: begin, try, compare, note, commit or give up; and what was tried, read again."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from avo.memory.journal.journal import AGENT, EXTERNAL, Journal
from avo.run import existing, held
from avo.tools.devices.lease import lease

pytestmark = pytest.mark.slow

TINY = Path(__file__).parents[1] / "tiny"
FASTER = ("SUMS = 1;", "SUMS = 16;")
WRONG = ("a->y[i] = y;", "a->y[i] = y * 1.01f;")
Cli = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path, planted_run: Path) -> Path:
    return Path(shutil.copytree(planted_run, tmp_path / "run"))


def edit(folder: Path, old: str, new: str) -> None:
    source = folder / "matvec.cpp"
    assert old in source.read_text()
    source.write_text(source.read_text().replace(old, new))


def test_begin_prints_rules_brief_and_commands_and_goes_on_with_an_open_step(cli: Cli, tmp_path: Path) -> None:
    first = json.loads(cli("step", "begin", TINY, "--target", "cpu", "--run", "new", "--json").stdout)
    assert (first["step"], first["run"]) == (1, str(tmp_path / "new"))
    edit(Path(first["work_tree"]), *FASTER)
    again = cli("step", "begin", TINY, "--target", "cpu", "--run", "new")
    assert again.returncode == 0, again.stderr
    for text in (
        "Rules of the game",
        "# Step 1 (resumed)",
        "v0 ",
        "a1 PASSED",
        "and the edits since",
        first["commands"],
    ):
        assert text in again.stdout
    kinds = [(message.kind, message.agent) for message in existing(tmp_path / "new")[0].messages()]
    assert kinds == [("task", EXTERNAL)] * 2


def test_every_command_that_begin_prints_works(cli: Cli, run: Path, knowledge_base: Path, tmp_path: Path) -> None:
    told = json.loads(cli("step", "begin", TINY, "--target", "cpu", "--run", run, "--json").stdout)
    edit(Path(told["work_tree"]), *FASTER)
    lines = [shlex.split(line) for line in told["commands"].splitlines() if line.startswith("    ")]
    done = {}
    for words in lines:
        start = words.index("lineage") if "lineage" in words else next(i for i, w in enumerate(words) if w in COMMANDS)
        arguments = words[start:]
        if arguments[0] == "commit":  # last but one: what follows looks at the edited work tree
            done["commit"] = words
            continue
        result = cli(*arguments, AVO_KB=str(knowledge_base))
        assert result.returncode == 0, (arguments, result.stderr)
        done[" ".join(arguments[:2])] = arguments
        if arguments[0] == "step":
            edit(Path(told["work_tree"]), *FASTER)
            committed = subprocess.run(done["commit"], capture_output=True, text=True, check=False)
            assert committed.returncode == 0, committed.stderr
            assert committed.stdout.startswith("committed as v1")
    assert len(lines) == 12
    assert (tmp_path / "DIR" / "matvec.cpp").is_file()


COMMANDS = ("scenario", "eval", "commit", "compare", "build", "profile", "note", "attempts", "kb", "step")


def test_without_a_scenario_begin_takes_that_of_the_run(cli: Cli, tmp_path: Path, run: Path) -> None:
    (run / "run.toml").write_text((run / "run.toml").read_text().replace('"tiny"', '"mha_casual"'))
    done = cli("step", "begin", "--run", run)
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean 'mha_causal'?" in done.stderr
    assert "start one: avo run scenario" in cli("step", "begin", "--run", tmp_path / "nowhere").stderr


def test_a_step_that_is_given_up_leaves_its_edits_in_the_journal(cli: Cli, run: Path) -> None:
    cli("step", "begin", TINY, "--target", "cpu", "--run", run)
    edit(run / "lineage", *FASTER)
    done = cli("step", "end", "it leads nowhere", "--run", run)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(
        "step 1 is over, the work tree is v0 again; what was not committed stays in the journal"
    )
    assert FASTER[0] in (run / "lineage" / "matvec.cpp").read_text()
    journal, _ = existing(run)
    (step,) = journal.steps()
    assert (step["operator"], step["outcome"], step["summary"]) == (EXTERNAL, "gave_up", "it leads nowhere")
    assert "+constexpr int SUMS = 16;" in journal.messages(EXTERNAL)[-1].text
    again = cli("step", "end", "once more", "--run", run)
    assert (again.returncode, again.stderr) == (2, "avo: no step of yours is open: avo step begin\n")


def test_a_note_is_written_also_while_another_process_holds_the_run(cli: Cli, run: Path) -> None:
    with held(run):
        assert cli("note", "sums of sixteen are enough", "--run", run).stdout == "noted as 1\n"
        assert "in use by another avo process" in cli("step", "end", "x", "--run", run).stderr
    assert "noted" in json.loads(cli("memory", "log", "--run", run, "--json").stdout)[-1]["text"]
    assert "sums of sixteen" in cli("step", "begin", TINY, "--target", "cpu", "--run", run).stdout
    assert cli("note", "  ", "--run", run).stderr == "avo: a note needs a text\n"


def test_begin_takes_over_what_an_agent_left(cli: Cli, run: Path) -> None:
    journal = Journal(run / "avo.db")
    journal.open_step("v0")
    journal.close()
    edit(run / "lineage", *FASTER)
    assert "and the edits since" in cli("step", "begin", TINY, "--target", "cpu", "--run", run).stdout
    steps = [(step["operator"], step["outcome"]) for step in existing(run)[0].steps()]
    assert steps == [(AGENT, "interrupted"), (EXTERNAL, None)]
    assert FASTER[1] in (run / "lineage" / "matvec.cpp").read_text()


def test_a_refusal_leaves_a_step_open_that_was_begun(cli: Cli, run: Path) -> None:
    against = ("--target", "cpu", "--run", run)
    cli("step", "begin", TINY, *against)
    edit(run / "lineage", *WRONG)
    assert cli("commit", TINY, *against, "-m", "one percent more").returncode == 1
    assert [step["ended"] for step in existing(run)[0].steps()] == [None]
    assert cli("step", "end", "it is wrong", "--run", run).returncode == 0


def test_avos_own_agent_is_told_of_edits_that_were_left(cli: Cli, run: Path) -> None:
    cli("step", "begin", TINY, "--target", "cpu", "--run", run)
    edit(run / "lineage", *FASTER)
    done = cli("run", "scenario", TINY, "--target", "cpu", "--run", run, "--steps", 1)
    assert done.returncode == 0, done.stderr
    (task,) = [message.text for message in existing(run)[0].messages("worker") if message.kind == "task"]
    assert task.endswith("The work tree holds v0 and the edits since. Make it faster.")


def test_versions_are_checked_out_compared_and_their_attempts_read(cli: Cli, run: Path, tmp_path: Path) -> None:
    done = cli("lineage", "checkout", "best", "--run", run, "-o", "mine", "--json")
    assert json.loads(done.stdout) == {"version": "v0", "folder": "mine", "files": ["matvec.cpp"]}
    mine = tmp_path / "mine"
    assert {path.name for path in mine.iterdir()} == {"matvec.cpp", "avo_abi.h"}
    assert (mine / "matvec.cpp").read_bytes() == (run / "lineage" / "matvec.cpp").read_bytes()
    assert (
        "not empty: name another with --output DIR" in cli("lineage", "checkout", "v0", "--run", run, "-o", mine).stderr
    )
    assert "v0 in v0: matvec.cpp" in cli("lineage", "checkout", "v0", "--run", run).stdout

    edit(mine, *FASTER)
    against = ("--target", "cpu", "--run", run)
    faster = cli("compare", TINY, "v0", "mine", *against)
    assert faster.returncode == 0, faster.stderr
    assert re.match(r"mine is x\d+\.\d+ of v0 \(95 % interval", faster.stdout)
    assert faster.stdout.endswith("\nfaster\n")
    assert existing(run)[0].comparisons() == []

    edit(mine, *WRONG)
    wrong = cli("compare", TINY, "v0", "mine", *against)
    assert wrong.returncode == 1, wrong.stderr
    assert wrong.stdout.startswith("mine: INCORRECT_NUMERICAL: ")
    wrong = cli("compare", TINY, mine, "best", *against, "--json")  # and on the other side
    assert (wrong.returncode, json.loads(wrong.stdout)["rejected"].split(":")[1]) == (1, " INCORRECT_NUMERICAL")
    assert "no folder 'theirs', and no version" in cli("compare", TINY, "v0", "theirs", *against).stderr
    assert "there are: v0 to v0" in cli("compare", TINY, "v7", "mine", *against).stderr

    cli("eval", TINY, mine, *against, "--direction", "one percent more")
    rows = json.loads(cli("attempts", "list", "--run", run, "--json").stdout)
    assert [(row["id"], row["status"], row["direction"]) for row in rows] == [
        (1, "PASSED", "the seed"), (2, "INCORRECT_NUMERICAL", "one percent more"),
    ]  # fmt: skip
    assert cli("attempts", "list", "--run", run, "--last", 1).stdout.startswith("a2 INCORRECT_NUMERICAL")
    shown = cli("attempts", "show", 2, "--run", run).stdout
    assert shown.startswith("attempt 2, from v0, step 1, ")
    assert "+        a->y[i] = y * 1.01f;" in shown
    whole = json.loads(cli("attempts", "show", 2, "--run", run, "--json").stdout)
    assert (whole["verdict"]["status"], whole["diff"][:14]) == ("INCORRECT_NUMERICAL", "--- a/matvec.c")
    assert "no attempt 9; there are 2" in cli("attempts", "show", 9, "--run", run).stderr


def test_a_call_that_a_kill_left_open_is_closed_by_the_next_command(cli: Cli, run: Path) -> None:
    boot = "from avo.cli import main; main()"
    command = [sys.executable, "-c", boot, "eval", str(TINY), "--target", "cpu", "--run", str(run)]
    edit(run / "lineage", *FASTER)

    with lease("cpu"), subprocess.Popen(command) as process:  # while another avo measures, the call stays open
        while not existing(run)[0].messages(EXTERNAL):
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    done = cli("eval", TINY, "--target", "cpu", "--run", run)
    assert done.returncode == 0, done.stderr
    told = [(m.kind, m.text[:12]) for m in existing(run)[0].messages(EXTERNAL)]
    assert [kind for kind, _ in told] == ["call", "result", "call", "result"]
    assert told[1][1] == "[interrupted"
