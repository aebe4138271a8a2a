"""An archive brings a run over whole; one that is damaged or made up is refused in one line and leaves nothing."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from avo.memory.archive import BUNDLE, JOURNAL, LINEAGE, MANIFEST, SETTINGS, export
from avo.memory.journal.journal import SCHEMA, Journal, migrate
from avo.memory.lineage import Lineage
from avo.run import import_run
from avo.tools.build.sources import digest
from avo.types import AvoError, CaseScore, Comparison, Status, Verdict

Parts = dict[str, bytes]


def verdict(score: float) -> Verdict:
    case = CaseScore("wide", score, 2.0, 1.0, 2.0, 0.5, (1.0, 2.0))
    return Verdict(Status.PASSED, "", "GFLOP/s", (case,), {"torch": {"wide": 3.0}}, device="another machine")


def keep(run: Path, text: str, score: float) -> None:
    """One more version, with its attempt, as a step makes it."""
    journal, lineage = Journal(run / JOURNAL, create=True), Lineage(run / LINEAGE, create=True)
    files = {"a.cpp": text.encode(), "parts/b.h": b"int b;\n"}
    before = lineage.versions()
    step = journal.open_step(before[-1].name)[0] if before else 0
    journal.add_attempt(step, digest(files), "v0", text, {}, verdict(score), "", 1.0)
    if before:
        journal.add_message(step, "worker", "text", f"I wrote {text}", "{}")
        journal.add_comparison(step, digest(files), "v0", Comparison(1.2, 1.1, 1.3, 0.01, True, {}, 9), accepted=True)
    kept = lineage.commit(files, {"avo_abi.h": b"//"}, digest(files), verdict(score), text, trailers={"Attempts": "1"})
    if before:
        journal.close_step(step, "committed", kept.name)
    lineage.restore()
    journal.close()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of two versions."""
    folder = tmp_path / "there"
    folder.mkdir()
    facts = {"scenario": "tiny", "target": "cpu", "model": "tuner", "digest": "0123456789abcdef"}
    (folder / SETTINGS).write_text("".join(f'{key} = "{value}"\n' for key, value in facts.items()))
    keep(folder, "int a;\n", 2.0)
    keep(folder, "int a2;\n", 2.4)
    return folder


@pytest.fixture
def parts(run: Path, tmp_path: Path) -> Parts:
    """What an archive of it holds, to forge others from."""
    export(run, tmp_path / "good.zip")
    with zipfile.ZipFile(tmp_path / "good.zip") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def refused(tmp_path: Path) -> Callable[..., str]:
    """Packs parts, tries to import them, and gives the one line that it ended with; no folder is left."""

    def call(parts: Parts | None = None, **facts: Any) -> str:
        file = tmp_path / "forged.zip"
        if parts is not None:
            manifest = json.loads(parts[MANIFEST]) | facts
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                for name, content in (parts | {MANIFEST: json.dumps(manifest).encode()}).items():
                    archive.writestr(name, content)
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(AvoError) as caught:
            import_run(file, tmp_path / "here")
        assert sorted(tmp_path.rglob("*")) == before
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return call


def changed(parts: Parts, tmp_path: Path, script: str) -> Parts:
    """With the journal that a script of SQL leaves."""
    path = tmp_path / "changed.db"
    path.write_bytes(parts[JOURNAL])
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA writable_schema=ON")
        db.executescript(script)
    db.close()
    content = path.read_bytes()
    path.unlink()
    return parts | {JOURNAL: content}


def bundled(parts: Parts, run: Path, *commands: str, main: str = "main") -> Parts:
    """With the bundle of the lineage that shell commands leave."""
    with_bundle = run.parent / "bundle"
    copy = Path(shutil.copytree(run / LINEAGE, run.parent / "copy"))
    who = "-c user.name=x -c user.email=x@y"
    script = " && ".join(command.replace("git ", f"git {who} ") for command in commands)
    script += f" && git bundle create -q {with_bundle} {main}"
    subprocess.run(script, shell=True, cwd=copy, check=True, capture_output=True)
    content = with_bundle.read_bytes()
    shutil.rmtree(copy)
    with_bundle.unlink()
    return parts | {BUNDLE: content}


def test_a_run_comes_over_whole(run: Path, tmp_path: Path) -> None:
    manifest = export(run, tmp_path / "a.zip")
    here, _, new = import_run(tmp_path / "a.zip", tmp_path / "here")
    assert (manifest.versions, manifest.attempts, new) == (2, 2, 2)
    assert Lineage(here / LINEAGE).versions() == Lineage(run / LINEAGE).versions()
    there, copy = Journal(run / JOURNAL), Journal(here / JOURNAL)
    assert copy.attempts() == there.attempts()
    assert (copy.messages(), copy.steps(), copy.comparisons()) == (there.messages(), there.steps(), there.comparisons())
    assert (here / SETTINGS).read_text() == (run / SETTINGS).read_text()
    assert (here / LINEAGE / "a.cpp").read_text() == "int a2;\n"
    assert (here / LINEAGE / ".git" / "refs" / "tags" / "v1").is_file()


def test_a_run_goes_on_there_and_comes_back(run: Path, tmp_path: Path) -> None:
    export(run, tmp_path / "out.zip")
    import_run(tmp_path / "out.zip", tmp_path / "here")
    keep(tmp_path / "here", "int a3;\n", 3.0)
    export(tmp_path / "here", tmp_path / "back.zip")
    assert import_run(tmp_path / "back.zip", run)[2] == 1
    assert Lineage(run / LINEAGE).best().name == "v2"
    assert (run / LINEAGE / "a.cpp").read_text() == "int a3;\n"
    assert [attempt.direction for attempt in Journal(run / JOURNAL).attempts()] == [
        "int a;\n",
        "int a2;\n",
        "int a3;\n",
    ]
    assert import_run(tmp_path / "back.zip", run)[2] == 0


def test_an_import_that_was_killed_between_versions_and_journal_is_mended_by_a_repeat(
    run: Path, tmp_path: Path
) -> None:  # fmt: skip
    old = Path(shutil.copytree(run, tmp_path / "old"))
    keep(run, "int a3;\n", 3.0)
    export(run, tmp_path / "a.zip")
    Lineage(old / LINEAGE).take(run / LINEAGE)
    assert len(Journal(old / JOURNAL).attempts()) == 2
    assert import_run(tmp_path / "a.zip", old)[2] == 0
    assert len(Journal(old / JOURNAL).attempts()) == 3
    assert (old / LINEAGE / "a.cpp").read_text() == "int a3;\n"


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("version", "has versions that the archive lacks"), ("other", "is another lineage than"),
        ("attempt", "its attempts differ"), ("note", "its notes differ"),
    ],
)  # fmt: skip
def test_a_run_that_went_on_by_itself_is_left_as_it_is(run: Path, tmp_path: Path, what: str, says: str) -> None:
    export(run, tmp_path / "old.zip")
    if what == "version":
        keep(run, "int mine;\n", 2.5)
    elif what == "note":
        journal = Journal(run / JOURNAL)
        journal.add_note(1, "mine")
        journal.close()
    elif what == "attempt":
        journal = Journal(run / JOURNAL)
        journal.add_attempt(1, "mine", "v1", "mine", {}, verdict(1.0), "", 1.0)
        journal.close()
    else:
        shutil.rmtree(run / LINEAGE)
        (run / JOURNAL).unlink()
        keep(run, "int other;\n", 2.0)
    before = (Lineage(run / LINEAGE).head(), Journal(run / JOURNAL).attempts(), Journal(run / JOURNAL).notes())
    with pytest.raises(AvoError, match=f"{says}.*: give another --run"):
        import_run(tmp_path / "old.zip", run)
    assert before == (Lineage(run / LINEAGE).head(), Journal(run / JOURNAL).attempts(), Journal(run / JOURNAL).notes())


@pytest.mark.parametrize("key", ["scenario", "target", "digest"])
def test_a_run_of_something_else_is_left_alone(run: Path, tmp_path: Path, key: str) -> None:
    export(run, tmp_path / "a.zip")
    settings = (run / SETTINGS).read_text().replace(f'{key} = "', f'{key} = "another-')
    (run / SETTINGS).write_text(settings)
    with pytest.raises(AvoError, match=f"holds a run with {key} another-"):
        import_run(tmp_path / "a.zip", run)


def test_a_folder_with_other_things_in_it_is_left_alone(run: Path, tmp_path: Path) -> None:
    export(run, tmp_path / "a.zip")
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "years.txt").write_text("of work")
    with pytest.raises(AvoError, match=r"not empty \(it has years.txt\)"):
        import_run(tmp_path / "a.zip", tmp_path / "thesis")
    assert [(path.name, path.read_text()) for path in (tmp_path / "thesis").iterdir()] == [("years.txt", "of work")]


def test_a_step_that_was_under_way_is_over_where_its_edits_are_not(run: Path, tmp_path: Path) -> None:
    journal = Journal(run / JOURNAL)
    step, _ = journal.open_step("v1")
    export(run, tmp_path / "a.zip")
    here, _, _ = import_run(tmp_path / "a.zip", tmp_path / "here")
    assert journal.open_step("v1") == (step, True)
    assert Journal(here / JOURNAL).steps()[-1]["outcome"] == "interrupted"
    assert Journal(here / JOURNAL).open_step("v1") == (step + 1, False)


def oldest(parts: Parts, tmp_path: Path) -> bytes:
    """The journal of these parts as the first schema would hold it."""
    (tmp_path / "now.db").write_bytes(parts[JOURNAL])
    db = sqlite3.connect(tmp_path / "oldest.db", isolation_level=None)
    migrate(db, 0, 1)
    db.execute("ATTACH ? AS now", (str(tmp_path / "now.db"),))
    for (table,) in db.execute("SELECT name FROM main.sqlite_master WHERE type='table'").fetchall():
        names = ", ".join(row[1] for row in db.execute(f"PRAGMA main.table_info({table})"))
        db.execute(f"INSERT INTO main.{table} ({names}) SELECT {names} FROM now.{table}")
    db.close()
    return (tmp_path / "oldest.db").read_bytes()


def test_an_archive_of_an_older_schema_is_brought_to_this_one(parts: Parts, tmp_path: Path) -> None:
    older = parts | {JOURNAL: oldest(parts, tmp_path)}
    manifest = json.loads(parts[MANIFEST]) | {"parts": {JOURNAL: {"bytes": 1, "sha256": "as it was written then"}}}
    with zipfile.ZipFile(tmp_path / "older.zip", "w") as archive:
        for name, content in (older | {MANIFEST: json.dumps(manifest).encode()}).items():
            archive.writestr(name, content)
    here, _, _ = import_run(tmp_path / "older.zip", tmp_path / "here")
    brought = Journal(here / JOURNAL)
    assert [step["operator"] for step in brought.steps()] == ["agent"]
    assert brought.spent() == []


@pytest.mark.parametrize("content", [b"", b"PK", b"no archive", b"PK\x03\x04" + b"\0" * 100])
def test_what_is_no_archive_is_refused(refused: Callable[..., str], tmp_path: Path, content: bytes) -> None:
    (tmp_path / "forged.zip").write_bytes(content)
    assert "is no archive of a run" in refused()


@pytest.mark.parametrize("part", [0.3, 0.6, 0.99])
def test_one_that_was_cut_off_is_refused(
    refused: Callable[..., str], parts: Parts, tmp_path: Path, part: float
) -> None:
    content = (tmp_path / "good.zip").read_bytes()
    (tmp_path / "forged.zip").write_bytes(content[: int(len(content) * part)])
    assert "is no archive of a run" in refused()


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "lineage/.git/hooks/post-checkout", "avo.db-wal"])
def test_a_part_that_does_not_belong_there_is_refused(refused: Callable[..., str], parts: Parts, name: str) -> None:
    assert "what about" in refused(parts | {name: b"evil"})


@pytest.mark.parametrize("name", [SETTINGS, BUNDLE, JOURNAL])
def test_a_part_that_is_missing_or_was_damaged_is_refused(
    refused: Callable[..., str], parts: Parts, tmp_path: Path, name: str
) -> None:  # fmt: skip
    without = {part: content for part, content in parts.items() if part != name}
    assert name in refused(without)
    with zipfile.ZipFile(tmp_path / "forged.zip", "w", zipfile.ZIP_STORED) as archive:
        for part, content in parts.items():
            archive.writestr(part, content)
    content = bytearray((tmp_path / "forged.zip").read_bytes())
    content[content.index(parts[name]) + len(parts[name]) // 2] ^= 1
    (tmp_path / "forged.zip").write_bytes(content)
    assert "is no archive of a run, or damaged" in refused()


def test_a_part_that_stands_twice_is_a_link_or_is_too_large_is_refused(
    refused: Callable[..., str], parts: Parts, tmp_path: Path
) -> None:
    def forged(change: Callable[[zipfile.ZipFile, zipfile.ZipInfo], None]) -> str:
        with zipfile.ZipFile(tmp_path / "forged.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in parts.items():
                info = zipfile.ZipInfo(name)
                info.compress_type = zipfile.ZIP_DEFLATED
                if name == SETTINGS:
                    change(archive, info)
                archive.writestr(info, content if name != SETTINGS or info.comment != b"big" else b"\n" * (1 << 17))
        return refused()

    with pytest.warns(UserWarning, match="Duplicate name"):
        assert "stands twice" in forged(lambda archive, info: archive.writestr(info.filename, b"x"))
    assert "no plain file" in forged(lambda _, info: setattr(info, "external_attr", 0o120777 << 16))
    assert "larger than 65536" in forged(lambda _, info: setattr(info, "comment", b"big"))
    assert "no plain file" in forged(lambda _, info: setattr(info, "compress_type", zipfile.ZIP_LZMA))


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"format": 2}, "format 2"), ({"format": None}, "format None"), ({"scenario": "../../x"}, "no scenario that"),
        ({"target": "cpu/.."}, "no target"), ({"digest": ""}, "no digest"), ({"versions": 3}, "does not hold"),
        ({"attempts": 9}, "does not hold"), ({"main": "0" * 40}, "does not hold"), ({"more": 1}, "cannot be read"),
    ],
)  # fmt: skip
def test_a_manifest_that_says_something_else_is_refused(
    refused: Callable[..., str], parts: Parts, facts: dict[str, Any], says: str
) -> None:
    assert says in refused(parts, **facts)


@pytest.mark.parametrize("settings", ['scenario = "../../../tmp/x"\ntarget = "cpu"\ndigest = "0123456789abcdef"', "x"])
def test_settings_that_name_another_place_are_refused(refused: Callable[..., str], parts: Parts, settings: str) -> None:
    scenario = {"scenario": "../../../tmp/x"} if "tmp" in settings else {}
    assert SETTINGS in refused(parts | {SETTINGS: settings.encode()}, **scenario)


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("CREATE TRIGGER t AFTER INSERT ON notes BEGIN DELETE FROM attempts; END;", "other tables"),
        ("CREATE VIEW v AS SELECT 1;", "other tables"),
        ("ALTER TABLE notes RENAME TO other; CREATE VIEW notes AS SELECT * FROM other;", "other tables"),
        ("CREATE TABLE more (x);", "other tables"),
        ("DROP TABLE revisits;", "other tables"),
        ("CREATE INDEX i ON notes (abs(text));", "other tables"),
        (f"PRAGMA user_version={SCHEMA + 1};", f"schema {SCHEMA + 1}"),
        ("PRAGMA user_version=0;", "schema 0"),
        ("PRAGMA user_version=1;", "other tables"),
        ("UPDATE attempts SET verdict='[]';", "cannot be read"),
        ("UPDATE attempts SET verdict='nonsense';", "cannot be read"),
        ("UPDATE attempts SET verdict=x'00';", "attempts.verdict"),
        ("UPDATE attempts SET seconds='soon';", "damaged|attempts.seconds"),
        ("UPDATE messages SET text=CAST(x'ff' AS TEXT);", "cannot be read"),
        ("DELETE FROM attempts WHERE id=2;", "does not hold"),
    ],
)
def test_a_journal_that_is_not_avos_own_is_refused(
    refused: Callable[..., str], parts: Parts, tmp_path: Path, script: str, says: str
) -> None:
    line = refused(changed(parts, tmp_path, script))
    assert any(part in line for part in says.split("|")), line


def test_a_journal_whose_pages_are_damaged_is_refused(refused: Callable[..., str], parts: Parts) -> None:
    content = bytearray(parts[JOURNAL])
    content[4096:] = b"\xff" * (len(content) - 4096)
    assert JOURNAL in refused(parts | {JOURNAL: bytes(content)})
    assert JOURNAL in refused(parts | {JOURNAL: b"no database"})


FORGED = [
    ("git commit -q --allow-empty -m nothing", "one after the other"),
    ("git checkout -q --detach v0 && git branch -f main HEAD", "does not hold"),
    ("git checkout -q v0 && git commit -q --allow-empty -m side && git merge -q -s ours -m both main && "
     "git branch -f main HEAD", "one after the other"),
    ("ln -s /etc/passwd link.cpp && git add -A && git commit -q --amend -C HEAD", "not plain"),
    ("echo evil > a.cpp && git add -A && git commit -q --amend -C HEAD", "not those that were scored"),
    ("echo evil > ./-o.cpp && git add -A && git commit -q --amend -C HEAD", "no name for a source"),
    ("chmod +x a.cpp && git add -A && git commit -q --amend -C HEAD", "not plain"),
    ("git rm -q score.json && git commit -q --amend -C HEAD", "no score.json"),
    ("echo '[1]' > score.json && git add -A && git commit -q --amend -C HEAD", "no score.json"),
    ("git log -1 --format=%B | sed s/^Avo-Score:.*/Avo-Score:/ > ../m; git commit -q --amend -F ../m; rm ../m",
     "trailers cannot be read"),
    ("git log -1 --format=%B | sed 's/^Avo-Score:.*/Avo-Score: nan x/' > ../m; git commit -q --amend -F ../m; rm ../m",
     "are not those of its score.json"),
    ("git log -1 --format=%B | sed 's/^Avo-Version:.*/Avo-Version: v7/' > ../m; git commit -q --amend -F ../m; rm ../m",
     "one after the other"),
]  # fmt: skip


@pytest.mark.parametrize(("command", "says"), FORGED)
def test_a_lineage_that_commit_did_not_write_is_refused(
    refused: Callable[..., str], parts: Parts, run: Path, command: str, says: str
) -> None:
    assert says in refused(bundled(parts, run, command))


def test_a_bundle_that_is_damaged_partial_or_of_another_branch_is_refused(
    refused: Callable[..., str], parts: Parts, run: Path
) -> None:
    damaged = bytearray(parts[BUNDLE])
    damaged[-200:-100] = b"\0" * 100
    for forged in (
        parts | {BUNDLE: bytes(damaged)},
        parts | {BUNDLE: parts[BUNDLE][:-300]},
        parts | {BUNDLE: b""},
        bundled(parts, run, "true", main="main ^v0"),
        bundled(parts, run, "git branch other", main="other"),
    ):
        assert "cannot be taken from lineage.bundle" in refused(forged)


def test_an_export_that_fails_leaves_the_older_file(run: Path, tmp_path: Path) -> None:
    export(run, tmp_path / "a.zip")
    before = (tmp_path / "a.zip").read_bytes()
    shutil.rmtree(run / LINEAGE)
    with pytest.raises(AvoError):
        export(run, tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "there"]
