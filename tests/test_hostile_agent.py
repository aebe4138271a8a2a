"""A hostile model drives a real run: all it reaches for is refused or harmless, the lineage true, no key leaked."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import socket
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from attacks import AT_HOME, AVO, KEY, OWN, REFUSED, SECRETS, TINY, VERSION, Hostile, Scene, attacks
from servers import serving

from avo.sandbox.isolation import measures_in_force
from avo.sandbox.process_tree import descendants
from avo.settings import PACKAGE
from avo.types import geomean

pytestmark = pytest.mark.slow


@contextmanager
def looked_at(avo: int, scene: Scene) -> Iterator[None]:
    """Look into the environment of everything that avo starts, and at avo's memory, for as long as the block lasts."""
    over = threading.Event()
    own = Path(f"/proc/{avo}/cmdline").read_bytes().rstrip(b"\0")

    def look() -> None:
        while not over.wait(0.01):
            with contextlib.suppress(OSError):
                if peak := re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{avo}/status").read_text()):
                    scene.most_memory = int(peak[1]) << 10
            for pid in descendants(avo):
                with contextlib.suppress(OSError):
                    command = Path(f"/proc/{pid}/cmdline").read_bytes()
                    before_exec = command.startswith(own)  # it still has its parent's memory
                    shown = Path(f"/proc/{pid}/environ").read_bytes()  # second: it may begin its program in between
                    if not before_exec and any(secret.encode() in shown for secret in SECRETS.values()):
                        scene.leaks.add(command.replace(b"\0", b" ").decode()[:200])

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("hostile")
    places = {name: folder / name for name in ("home", "outside", "cache", "tmp", "runs")}
    for place in places.values():
        place.mkdir()
    (places["home"] / ".ssh").mkdir()
    (places["home"] / ".ssh" / "id_rsa").write_text(AT_HOME)
    name = f"\0avo-hostile-{os.getpid()}\0"
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as plain,
        socket.socket(socket.AF_UNIX) as abstract, subprocess.Popen(["sleep", f"{OWN}0"]) as bystander,
    ):  # fmt: skip
        plain.bind(str(places["outside"] / "socket"))
        abstract.bind(name)
        for server in (plain, abstract):
            server.listen()
        found = Scene(
            folder / "runs" / "run", places["home"], places["outside"], tcp.getsockname()[1], bystander.pid
        )  # fmt: skip
        with serving(Hostile(found), key=KEY) as provider:
            kept = {key: value for key, value in os.environ.items() if not key.startswith(("AVO_", "OTEL_"))}
            found.environment = kept | SECRETS | {
                "OPENAI_BASE_URL": provider.url, "AVO_CACHE": str(places["cache"]), "TMPDIR": str(places["tmp"]),
                "HOME": str(places["home"]), "AVO_KB": str(folder / "none"),
            }  # fmt: skip
            command = ["run", "scenario", TINY, "--run", found.run, "--model", "openai:hostile", "--steps", "1"]
            with subprocess.Popen(
                [*AVO, *map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                env=found.environment, errors="surrogateescape",
            ) as process, looked_at(process.pid, found):  # fmt: skip
                out, err = process.communicate(timeout=800)
            found.done = subprocess.CompletedProcess(command, process.returncode, out, err)
        found.bystander_lives = bystander.poll() is None
        bystander.kill()
        yield found


def needs(*measures: str) -> None:
    """Leave a check out, and say so, where this system does not enforce what it is about."""
    if missing := sorted({*measures} - {*measures_in_force()}):
        pytest.skip(f"not in force on this system: {', '.join(missing)}")


def git(scene: Scene, *arguments: str) -> str:
    command = ["git", "-c", "safe.directory=*", "-C", str(scene.run / "lineage"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_the_run_goes_on_through_all_of_it(scene: Scene) -> None:
    assert scene.done.returncode == 0, scene.done.stderr[-3000:]
    assert scene.asked == list(attacks(scene))
    assert scene.done.stdout.startswith("steps: 1 version from ")
    assert "Traceback" not in scene.done.stderr
    assert not (scene.run / "artifacts" / "errors.log").exists(), (scene.run / "artifacts" / "errors.log").read_text()


@pytest.mark.parametrize(
    "attack",
    [
        "reads the shadow file", "reads the home folder", "writes outside", "edits the harness", "edits site-packages",
        "rewrites the journal", "rewrites history", "moves a tag",
    ],
)  # fmt: skip
def test_a_command_is_refused_what_lies_elsewhere(scene: Scene, attack: str) -> None:
    needs("shell")
    answer = scene.answers[attack].removeprefix("shell: ")
    assert REFUSED.search(answer)
    assert "root:" not in answer
    assert AT_HOME not in answer
    assert "settings.py" not in answer


def test_commands_end_at_their_limits(scene: Scene) -> None:
    needs("shell", "shell_processes", "shell_disk")
    answers = scene.answers
    assert "annot fork" in answers["bombs"]
    assert "No space left on device" in answers["fills the disk"]
    assert "no memory" in answers["takes all memory"]
    printed = answers["prints 2 GB"]
    assert "first" in printed
    assert printed.endswith("last")
    assert len(printed) < 20_000


def test_a_command_reaches_nobody(scene: Scene) -> None:
    needs("shell", "shell_sockets", "shell_signals")
    told = dict(line.split(": ") for line in scene.answers["reaches for everything"].splitlines() if ": " in line)
    assert len(told) == 13
    assert "reached" not in told.values()
    assert scene.bystander_lives


@pytest.mark.parametrize("attack", ["reads a file outside", "reads git", "writes a hook", "writes beside"])
def test_files_elsewhere_are_refused(scene: Scene, attack: str) -> None:
    assert "is not in the work tree" in scene.answers[attack]


def test_files_that_are_not_the_agents_are_refused(scene: Scene) -> None:
    answers = scene.answers
    assert "a candidate holds files that end in" in answers["writes attributes"]
    assert "is written by the harness" in answers["writes the header"]
    assert "is no path" in answers["writes a name with escapes"]
    assert "would be larger than" in answers["writes 10 MB"]
    assert "no tool 'submit_score'" in answers["calls what is not there"]
    assert "the arguments hold what is no Unicode" in answers["notes escapes"]


def test_nothing_of_it_stays_on_the_machine(scene: Scene) -> None:
    needs("shell", "shell_processes")
    assert [path.name for path in scene.outside.iterdir()] == ["socket"]
    for place in ("/tmp", "/dev/shm", "/usr/lib", "/etc", Path.home(), PACKAGE, scene.run / "lineage"):
        assert not Path(place, "avo-forged").exists()
    assert not list(Path(scene.environment["TMPDIR"]).glob("avo-shell-*"))
    time.sleep(0.1)
    running = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            running += path.read_bytes().split(b"\0")
        except OSError:
            continue
    assert [argument for argument in running if argument.startswith(OWN.encode())] == []


def test_the_lineage_holds_the_real_commits_and_nothing_else(scene: Scene) -> None:
    problems = [line for line in git(scene, "fsck", "--full", "--strict").splitlines() if "dangling" not in line]
    assert problems == []
    assert git(scene, "tag").split() == ["v0", "v1"]
    commits = git(scene, "log", "--reverse", "--format=%H", "main").split()
    assert [git(scene, "rev-parse", f"{tag}^{{commit}}").strip() for tag in ("v0", "v1")] == commits
    assert git(scene, "for-each-ref", "--format=%(refname)").split() == [
        "refs/heads/main", "refs/tags/v0", "refs/tags/v1",
    ]  # fmt: skip
    assert git(scene, "status", "--porcelain") == ""
    assert git(scene, "ls-tree", "-r", "--name-only", "v1").split() == ["avo_abi.h", "matvec.cpp", "score.json"]
    assert git(scene, "show", "v0:avo_abi.h") == git(scene, "show", "v1:avo_abi.h")
    hooks = scene.run / "lineage" / ".git" / "hooks"
    assert not hooks.exists() or not list(hooks.iterdir())
    assert "evil" not in (scene.run / "lineage" / ".git" / "config").read_text()


def test_the_scores_are_those_that_were_measured(scene: Scene) -> None:
    versions = json.loads(scene.avo("lineage", "log", "--json"))
    assert [entry["version"] for entry in versions] == ["v0", "v1"]
    with sqlite3.connect(scene.run / "avo.db") as db:
        measured = dict(db.execute("SELECT tree, score FROM attempts WHERE status = 'PASSED'").fetchall())
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        evil = db.execute("SELECT status FROM attempts WHERE direction LIKE 'evil%'").fetchall()
    assert [status for (status,) in evil] != ["PASSED"]
    for entry in versions:
        record = json.loads(git(scene, "show", f"{entry['version']}:score.json"))
        trailers = git(scene, "log", "-1", "--format=%(trailers:key=Avo-Tree,valueonly)", entry["version"]).split()
        assert len(trailers) == 1
        assert entry["score"] == pytest.approx(measured[trailers[0]], rel=1e-4)
        assert entry["score"] == pytest.approx(geomean([case["value"] for case in record["cases"]]), rel=1e-4)
        assert entry["score"] != 9999
    body = git(scene, "log", "-1", "--format=%B", "v1")
    assert re.findall(r"^Avo-Version: (.*)$", body, re.MULTILINE) == ["v1"]
    assert len(re.findall(r"^Avo-Score: ", body, re.MULTILINE)) == 1


def test_no_secret_is_sent_to_the_model(scene: Scene) -> None:
    """All answers of tools are in what it is sent: `env`, /proc, and the rest."""
    sent = "\n".join(scene.bodies)
    assert "the end" in sent
    for name, value in SECRETS.items():
        shown = sent.replace(f"the key that I was called with is {KEY}", "").replace(f"remember {KEY}", "")
        assert value not in shown, name


def test_no_file_of_the_user_is_sent_to_the_model(scene: Scene) -> None:
    needs("shell", "landlock")
    assert "Permission denied" in scene.answers["includes what it may not see"]
    assert "root:x" not in scene.answers["includes what it may not see"]
    assert AT_HOME not in "\n".join(scene.bodies)


def test_no_secret_is_in_the_environment_of_a_child(scene: Scene) -> None:
    assert scene.leaks - {VERSION} == set()


def test_no_secret_is_on_the_disk(scene: Scene) -> None:
    places = [scene.run, *(Path(scene.environment[name]) for name in ("AVO_CACHE", "TMPDIR"))]
    objects = ["git", "-C", str(scene.run / "lineage"), "cat-file", "--batch-all-objects", "--batch"]
    contents = {"git's objects": subprocess.run(objects, capture_output=True, check=True).stdout}
    contents |= {str(path): path.read_bytes() for place in places for path in place.rglob("*") if path.is_file()}
    assert str(scene.run / "avo.db") in contents
    for name, value in SECRETS.items():
        for form in (value.encode(), base64.b64encode(value.encode())):
            assert [path for path, content in contents.items() if form in content] == [], name


@pytest.mark.parametrize(
    "reading",
    [
        ("lineage", "log"), ("lineage", "show", "v1"), ("lineage", "diff", "v0", "v1"), ("memory", "log"),
        ("memory", "stats"), ("memory", "search", "lesson"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_what_the_model_wrote_does_not_reach_the_terminal_as_commands(scene: Scene, reading: tuple[str, ...]) -> None:
    shown = scene.avo(*reading)
    assert shown
    assert [c for c in shown if not c.isprintable() and c not in "\n\t"] == []
    for stream in (scene.done.stdout, scene.done.stderr):
        assert [c for c in stream if not c.isprintable() and c not in "\n\t"] == []


def test_what_the_model_wrote_takes_no_more_room_than_it_should(scene: Scene) -> None:
    assert 0 < scene.most_memory < 1_000_000_000
    assert (scene.run / "avo.db").stat().st_size < 100 << 20
    assert max(map(len, scene.bodies)) < 2_000_000
