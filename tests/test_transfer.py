"""A run is begun from a version of another run: as it is where it passes, else to be adapted first."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from avo.evolve import brief
from avo.memory.lineage import Lineage
from avo.run import existing, import_run, open_run, plant_seed
from avo.scenarios.loader import Scenario, load
from avo.tools.all_tools import registry
from avo.tools.origin import brought, first_of_line, transfer
from avo.tools.payloads import TASK, Begun, packed
from avo.tools.workspace import Workspace
from avo.types import AvoError

pytestmark = pytest.mark.slow

Done = subprocess.CompletedProcess[str]
Cli = Callable[..., Done]
TINY = Path(__file__).parent / "tiny"


def told(done: Done) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def complaint(done: Done) -> str:
    """The one line of a mistake."""
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    (line,) = done.stderr.splitlines()
    return line.removeprefix("avo: ")


def rows(run: Path, query: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(run / "avo.db") as db:
        return db.execute(query).fetchall()


def rewritten(path: Path, *changes: tuple[str, str]) -> None:
    text = path.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, planted_run: Path, tiny: Scenario) -> Path:
    """A run with an evolved version: 16 partial sums, committed through the gate in a step with a brief."""
    folder = Path(shutil.copytree(planted_run, tmp_path_factory.mktemp("source") / "evolved"))
    with open_run(folder, tiny, "cpu") as workspace:
        workspace.step, _ = workspace.journal.open_step("v0")
        workspace.journal.add_message(workspace.step, "worker", "task", "said", "{}", data=briefed(workspace))
        call(workspace, "edit_file", path="matvec.cpp", old="SUMS = 1;", new="SUMS = 16;")
        call(workspace, "commit", message="16 partial sums")
        workspace.journal.close_step(workspace.step, "committed", "v1")
    return folder


@pytest.fixture
def longer(own_scenario: Path, tmp_path: Path) -> Path:
    """The same ABI, other shapes and another task."""
    folder = own_scenario.rename(tmp_path / "longer")
    changes = (('id = "wide"\ndims = { R = 128, C = 4096 }', 'id = "long"\ndims = { R = 4096, C = 128 }'),)
    rewritten(folder / "scenario.toml", *changes, ("Make y = A x fast", "Make y = A x fast for many rows"))
    return folder


@pytest.fixture
def scaled(own_scenario: Path, tmp_path: Path) -> Path:
    """Another ABI: one tensor has another name, and there is a scalar more."""
    folder = own_scenario.rename(tmp_path / "scaled")
    scalar = '[[scalars]]\nname = "alpha"\ndtype = "fp32"\nvalue = 2.0\n\n[work]'
    changes = (('name = "x"', 'name = "vector"'), ("[work]", scalar), ("Make y = A x fast", "Make y = alpha A x fast"))
    rewritten(folder / "scenario.toml", *changes)
    double = (("(a @ x, a.abs() @ x.abs())", "(2 * (a @ x), 2 * (a.abs() @ x.abs()))"), ('"x": x', '"vector": x'))
    rewritten(
        folder / "reference.py", *double, ('inputs["x"]', 'inputs["vector"]'), ("return inputs", "return 2 * inputs")
    )
    rewritten(folder / "seed" / "matvec.cpp", ("a->x[", "a->vector["), ("a->y[i] = y;", "a->y[i] = a->alpha * y;"))
    return folder


def call(workspace: Workspace, tool: str, **arguments: object) -> str:
    """A tool call, its answer journalled as the worker's, that has to work."""
    answer = asyncio.run(registry(workspace).call(tool, arguments))
    data = packed({"c1": answer.data}) if answer.data else None
    workspace.journal.add_message(workspace.step, "worker", "result", "said", "{}", tool, data)
    assert answer.worked, answer.text
    return answer.text


def briefed(workspace: Workspace) -> Mapping[str, Any] | None:
    """What programs read of the step's brief."""
    told = asyncio.run(brief(workspace, False)).data
    assert isinstance(told, Begun)
    return packed({TASK: told})


def begin(run: Path, scenario: Path, seed_from: object, work: Callable[[Workspace], object]) -> None:
    """A run from there, its v0, and a first step in which `work` is done."""
    with open_run(run, load(str(scenario)), "cpu", seed_from=str(seed_from)) as workspace:
        asyncio.run(plant_seed(workspace))
        workspace.step, _ = workspace.journal.open_step(workspace.lineage.best().name)
        work(workspace)


def test_a_candidate_that_passes_becomes_v0_as_it_is(source: Path, longer: Path, cli: Cli, tmp_path: Path) -> None:
    commit = Lineage(source / "lineage").version("v1").commit
    options = ("--run", "new", "--steps", 1, "--json")
    result = told(cli("run", "scenario", longer, *options, AVO_SEED_FROM=f"{source}@v1"))
    seed = Lineage(tmp_path / "new" / "lineage").version("v0")
    assert seed.tree == Lineage(source / "lineage").version("v1").tree
    assert seed.message == "v1 of evolved (tiny), as it is"
    came = result["seed_from"]
    facts = [came[key] for key in ("run", "scenario", "version", "commit")]
    assert facts == ["evolved", "tiny", "v1", commit]
    assert came["verdict"]["status"] == "PASSED"
    assert came["first_correct"]["version"] == "v0"
    assert came["best"]["version"] == result["best"]["version"]
    seconds = told(cli("memory", "stats", "--run", "new", "--json"))["seconds"]
    assert 0 < came["first_correct"]["seconds"] <= came["best"]["seconds"] <= seconds
    assert told(cli("memory", "stats", "--run", "new", "--json"))["seed_from"] == came
    trailer = f"evolved tiny, v1, {commit}"
    assert told(cli("lineage", "log", "--run", "new", "--json"))[0]["seed_from"] == trailer
    assert told(cli("lineage", "show", "v0", "--run", "new", "--json"))["seed_from"] == trailer
    for command in (("log",), ("show", "v0")):
        assert f"begun from {trailer}" in cli("lineage", *command, "--run", "new").stdout
    assert "first correct of its line: v0 after" in cli("memory", "stats", "--run", "new").stdout
    with open_run(tmp_path / "new", load(str(longer)), "cpu") as workspace:
        assert "First: adapt" not in asyncio.run(brief(workspace, False)).text


def test_one_that_does_not_is_left_for_the_tuner_to_do_without(source: Path, scaled: Path, cli: Cli) -> None:
    command = ("run", "scenario", scaled, "--run", "new", "--seed-from", source)
    result = told(cli(*command, "--max-attempts", 5, "--json"))
    assert result["stop_reason"] == "attempts"
    came = result["seed_from"]
    assert came["verdict"]["status"] == "COMPILE_ERROR"
    assert came["best"]["seconds"] > 0
    run = scaled.parent / "new"
    found = rows(run, "SELECT id, status, knobs, direction FROM attempts ORDER BY id")[:2]
    assert found[0] == (1, "COMPILE_ERROR", "{}", "brought in: v1 of evolved (tiny)")
    assert found[1][1:] == ("PASSED", '{"SUMS": "1", "BACKWARDS": "0"}', "the seed")
    assert Lineage(run / "lineage").version("v0").message == "Seed of scaled"
    tried = [json.loads(knobs).get("SUMS") for (knobs,) in rows(run, "SELECT knobs FROM attempts")]
    assert "16" in tried  # a value that failed in other sources is tried on the seed


def test_the_first_task_is_to_adapt_it(source: Path, scaled: Path, tmp_path: Path) -> None:
    def work(workspace: Workspace) -> None:
        first = asyncio.run(brief(workspace, False)).text
        assert first.index("First: adapt") < first.index("Versions so far")
        assert "v1 of evolved (tiny)" in first
        assert "COMPILE_ERROR: ./matvec.cpp" in first
        for line in (
            "-  const float* x;  // in, [C]",
            "+  const float* vector;  // in, [C]",
            "+  float alpha;  // 2.0",
        ):
            assert f"\n{line}\n" in first
        for line in ("-Make y = A x fast: y[i]", "+Make y = alpha A x fast: y[i]"):
            assert f"\n{line}" in first
        assert call(workspace, "read_file", version="seed-from").endswith("there\nfiles: matvec.cpp")
        assert "SUMS = 16;" in call(workspace, "read_file", version="seed-from", path="matvec.cpp")
        assert "+constexpr int SUMS = 16;" in call(workspace, "attempts", number=1)
        assert (
            registry_error(workspace, "read_file", version="seed-from", path="x.cpp") == "seed-from has no file 'x.cpp'"
        )
        call(workspace, "checkout", version="seed-from")
        assert workspace.sources() == Lineage(source / "lineage").files(Lineage(source / "lineage").version("v1"))
        assert first_of_line(workspace.journal, workspace.lineage, came(workspace)) is None
        assert workspace.journal.best_attempt() == 2  # the seed's, not what does not pass
        text = (workspace.work_tree / "matvec.cpp").read_text()
        text = text.replace("a->x[", "a->vector[").replace("a->y[i] = y;", "a->y[i] = a->alpha * y;")
        call(workspace, "write_file", path="matvec.cpp", content=text)
        assert "an improvement" in call(workspace, "commit", message="adapted")
        assert "First: adapt" not in asyncio.run(brief(workspace, False)).text
        found = transfer(workspace.journal, workspace.lineage)
        assert found
        assert found["first_correct"] == found["best"] == {"version": "v1", "seconds": None}

    begin(tmp_path / "new", scaled, source, work)


def registry_error(workspace: Workspace, tool: str, **arguments: object) -> str:
    answer = asyncio.run(registry(workspace).call(tool, arguments))
    assert not answer.worked
    return answer.text.removeprefix(f"{tool}: ").partition(";")[0]


def came(workspace: Workspace) -> Any:
    found = brought(workspace.journal)
    assert found
    return found


def test_a_version_of_the_seed_is_not_taken_for_its_descendant(source: Path, scaled: Path, tmp_path: Path) -> None:
    def work(workspace: Workspace) -> None:
        call(workspace, "checkout", version="seed-from")
        call(workspace, "checkout", version="best")
        call(workspace, "edit_file", path="matvec.cpp", old="SUMS = 1;", new="SUMS = 16;")
        call(workspace, "commit", message="16 partial sums, found anew")
        assert first_of_line(workspace.journal, workspace.lineage, came(workspace)) is None
        assert "First: adapt" in asyncio.run(brief(workspace, False)).text

    begin(tmp_path / "new", scaled, source, work)


def test_a_descendant_is_known_by_its_lines_too(source: Path, scaled: Path, cli: Cli, tmp_path: Path) -> None:
    seed = scaled / "seed" / "matvec.cpp"
    adapted = seed.read_text().replace("SUMS = 1;", "SUMS = 16;")
    rewritten(seed, ("const int64_t i =", "const int64_t number ="), ("+ i *", "+ number *"), ("y[i]", "y[number]"))
    rewritten(seed, ("float sums[SUMS] = {};", "float sums[SUMS] {};"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "matvec.cpp").write_text(adapted)
    command = ("commit", scaled, "mine", "-m", "made of what was read", "--run", "new", "--seed-from", source)
    assert told(cli(*command, "--json"))["version"] == "v1"
    stats = told(cli("memory", "stats", "--run", "new", "--json"))
    assert stats["seed_from"]["first_correct"] == {"version": "v1", "seconds": None}  # nothing that avo run did


def test_a_configuration_for_mcp_names_the_run_wherever_it_is_started(cli: Cli, tmp_path: Path) -> None:
    done = cli("mcp", TINY, "--print-config", "codex", "--seed-from", "runs/other@v3")
    assert f'"--seed-from", "{tmp_path}/runs/other@v3"' in done.stdout


def test_what_was_brought_in_outlives_the_other_run_and_travels(
    source: Path, scaled: Path, cli: Cli, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(source, tmp_path / "other"))
    begun = told(cli("step", "begin", scaled, "--run", "new", "--seed-from", "other@best", "--json"))
    assert "First: adapt" in begun["brief"]
    wanted = Lineage(other / "lineage").files(Lineage(other / "lineage").version("v1"))
    shutil.rmtree(other)
    again = told(cli("step", "begin", scaled, "--run", "new", "--seed-from", "other@best", "--json"))
    assert again["step"] == begun["step"]
    assert cli("lineage", "export", "-o", "new.zip", "--run", "new").returncode == 0
    import_run(tmp_path / "new.zip", tmp_path / "there")
    assert told(cli("lineage", "checkout", "seed-from", "--run", "there", "--json"))["files"] == ["matvec.cpp"]
    assert (tmp_path / "seed-from" / "matvec.cpp").read_bytes() == wanted["matvec.cpp"]
    assert "alpha" in (tmp_path / "seed-from" / "avo_abi.h").read_text()
    with open_run(tmp_path / "there", load(str(scaled)), "cpu") as workspace:
        assert asyncio.run(brief(workspace, False)).text.partition("\n")[2] == begun["brief"].partition("\n")[2]


def test_a_kill_before_v0_changes_nothing(source: Path, longer: Path, tmp_path: Path) -> None:
    with open_run(tmp_path / "new", load(str(longer)), "cpu", seed_from=str(source)):
        pass
    (tmp_path / "new" / "lineage" / ".git" / "HEAD").unlink()
    with open_run(tmp_path / "new", load(str(longer)), "cpu", seed_from=f"{source}@v1") as workspace:
        asyncio.run(plant_seed(workspace))
        assert (workspace.journal.count("attempts"), workspace.journal.count("messages")) == (1, 0)
        assert "Seed-From" in workspace.lineage.facts(workspace.lineage.best())


def no_run(source: Path) -> str:
    return "nowhere"


def no_version(source: Path) -> str:
    return f"{source}@v9"


def for_another_target(source: Path) -> str:
    rewritten(source / "run.toml", ('target = "cpu"', 'target = "sm_90a"'))
    return str(source)


def with_broken_settings(source: Path) -> str:
    (source / "run.toml").write_text('scenario = "tiny\n')
    return str(source)


def with_a_broken_journal(source: Path) -> str:
    (source / "avo.db").write_bytes(b"not a database at all, " * 1000)
    return str(source)


def without_a_journal(source: Path) -> str:
    (source / "avo.db").unlink()
    return str(source)


def without_a_lineage(source: Path) -> str:
    shutil.rmtree(source / "lineage")
    return str(source)


def without_objects(source: Path) -> str:
    shutil.rmtree(source / "lineage" / ".git" / "objects")
    (source / "lineage" / ".git" / "objects").mkdir()
    return str(source)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (no_run, "no run in nowhere, it has no run.toml: name a run directory, RUN@vN or RUN@best"),
        (no_version, "no version 'v9'; there are: v0 to v1"),
        (
            for_another_target,
            "run.toml: target is sm_90a, and this run is for cpu: name a run for cpu, or give --target",
        ),
        (with_broken_settings, "run.toml: "),
        (with_a_broken_journal, "is damaged (DatabaseError"),
        (without_a_journal, "there is no avo.db"),
        (without_a_lineage, "no lineage in "),
        (without_objects, "name another version or run, or import it again"),
    ],
)
def test_what_cannot_be_brought_in_is_said_in_one_line(
    source: Path, cli: Cli, tmp_path: Path, damage: Callable[[Path], str], said: str
) -> None:
    spec = damage(Path(shutil.copytree(source, tmp_path / "evolved")))
    line = complaint(cli("run", "scenario", TINY, "--run", "new", "--seed-from", spec))
    assert line.startswith(f"--seed-from {spec}: ")
    assert said in line
    assert not (tmp_path / "new").exists()


def test_sources_that_are_not_those_that_were_scored_are_refused(source: Path, cli: Cli, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(source, tmp_path / "evolved"))
    git = ["git", "-C", str(copy / "lineage"), "-c", "user.name=x", "-c", "user.email=x@x"]
    message = subprocess.run([*git, "log", "-1", "--format=%B"], capture_output=True, text=True, check=True).stdout
    rewritten(copy / "lineage" / "matvec.cpp", ("SUMS = 16;", "SUMS = 4;"))
    subprocess.run([*git, "commit", "-q", "--amend", "-a", "-m", message], check=True)
    line = complaint(cli("run", "scenario", TINY, "--run", "new", "--seed-from", copy))
    assert "the sources of v1 are not those that were scored; name another version" in line


def test_a_run_that_was_begun_otherwise_is_left_alone(
    source: Path, longer: Path, cli: Cli, planted_run: Path, tmp_path: Path
) -> None:
    shutil.copytree(planted_run, tmp_path / "own")
    line = complaint(cli("run", "scenario", TINY, "--run", "own", "--seed-from", source))
    assert "own has versions already (v0 to v0), from its scenario's seed: give another --run" in line
    begin(tmp_path / "new", longer, source, lambda workspace: None)
    before = (tmp_path / "new" / "run.toml").read_bytes()
    line = complaint(cli("run", "scenario", longer, "--run", "new", "--seed-from", f"{source}@v0"))
    assert "new has versions already (v0 to v0), from v1 of evolved (tiny): give another --run" in line
    assert (tmp_path / "new" / "run.toml").read_bytes() == before
    for spec in (source, f"{source}@best", f"{source}@v1"):  # the same one, by any name
        with open_run(tmp_path / "new", load(str(longer)), "cpu", seed_from=str(spec)) as workspace:
            assert len(workspace.lineage.versions()) == 1


@pytest.mark.parametrize(
    "damage",
    ["DELETE FROM brought_files", "UPDATE brought_files SET name='../../escaped.cpp'"],
)
def test_a_damaged_record_is_not_used(source: Path, scaled: Path, tmp_path: Path, damage: str) -> None:
    with open_run(tmp_path / "new", load(str(scaled)), "cpu", seed_from=str(source)):
        pass
    with sqlite3.connect(tmp_path / "new" / "avo.db") as db:
        db.execute(damage)
    with (
        open_run(tmp_path / "new", load(str(scaled)), "cpu") as workspace,
        pytest.raises(AvoError, match="record of what the run was begun from holds no candidate"),
    ):
        asyncio.run(plant_seed(workspace))


def test_a_run_from_its_own_seed_tells_of_no_transfer(source: Path, cli: Cli) -> None:
    assert transfer(*existing(source)) is None
    assert "seed_from" not in told(cli("memory", "stats", "--run", source, "--json"))
    assert "no version 'seed-from'" in complaint(cli("lineage", "checkout", "seed-from", "--run", source))


def test_an_attention_kernel_goes_from_mha_to_gqa(tmp_path: Path) -> None:
    with open_run(tmp_path / "mha", load("mha_causal"), "cpu") as workspace:
        asyncio.run(plant_seed(workspace))
        tree = workspace.lineage.best().tree
    with open_run(tmp_path / "gqa", load("gqa_32_8_causal"), "cpu", seed_from=str(tmp_path / "mha")) as workspace:
        asyncio.run(plant_seed(workspace))
        best = workspace.lineage.best()
        assert (best.tree, best.message) == (tree, "v0 of mha (mha_causal), as it is")
        assert "Hkv" in came(workspace).abi or "const avo_bf16* k;" in came(workspace).abi
