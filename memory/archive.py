"""The archive: a run in one zip file, for reading or continuing on another machine."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import stat
import struct
import tempfile
import tomllib
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from avo.memory.journal.journal import SCHEMA, Journal, migrate
from avo.memory.lineage import Lineage
from avo.types import AvoError, Version

FORMAT = 1
"""Version of the archive format."""
SETTINGS, JOURNAL, LINEAGE = "run.toml", "avo.db", "lineage"
"""Contents of a run's folder."""
MANIFEST, BUNDLE = "manifest.json", "lineage.bundle"
LARGEST = {MANIFEST: 1 << 20, SETTINGS: 1 << 16, BUNDLE: 1 << 30, JOURNAL: 1 << 32}
"""Part of an archive -> its largest size in bytes."""
TRIES = 10
"""Attempts to copy journal and lineage with no commit in between."""
FACTS = {
    "scenario": re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}"), "target": re.compile(r"cpu|sm_\d{2,3}a?"),
    "digest": re.compile(r"[0-9a-f]{16}"),
}  # fmt: skip
"""Key of run.toml -> pattern of its values; the first two name a folder."""
DAMAGED = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError, ValueError)
"""Exceptions of zipfile for a damaged archive."""
TYPES = {"INTEGER": ("integer",), "REAL": ("real", "integer"), "TEXT": ("text",), "BLOB": ("blob",)}
"""Declared type of a column -> types that SQLite may store in it."""
SourcesCheck = Callable[[Version, Mapping[str, bytes]], None]
"""Raises for sources of a version that cannot be a candidate."""
T = TypeVar("T")


@dataclass(frozen=True)
class Manifest:
    """An archive's description of itself; everything in it is checked against the parts."""

    scenario: str
    target: str
    digest: str
    """Digest of the scenario at the beginning of the run."""
    versions: int
    attempts: int
    main: str
    """Commit of the latest version."""
    at: str
    format: int = FORMAT


def settings_in(path: Path) -> dict[str, str]:
    """Return the keys and values of a run.toml. Raises AvoError if it is damaged."""
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise AvoError(f"{path}: {error}") from error
    if "scenario" not in found or "target" not in found:
        raise AvoError(f"{path} is damaged: it has to say scenario = … and target = …, as it did")
    return {key: str(value) for key, value in found.items()}


def export(folder: Path, file: Path) -> Manifest:
    """Write the run in `folder` to `file`, all or nothing, also while the run continues. Raises AvoError."""
    settings, lineage = settings_in(folder / SETTINGS), Lineage(folder / LINEAGE)
    lineage.best()
    with tempfile.TemporaryDirectory(prefix=".avo-", dir=file.resolve().parent) as name:
        scratch = Path(name)
        (scratch / SETTINGS).write_bytes((folder / SETTINGS).read_bytes())
        for _ in range(TRIES):
            main = lineage.head()
            (scratch / JOURNAL).unlink(missing_ok=True)
            journal = Journal(folder / JOURNAL, reading=True)
            attempts = journal.count("attempts")
            journal.copy_to(scratch / JOURNAL)
            journal.close()
            lineage.bundle(scratch / BUNDLE)
            if lineage.head() == main:
                break
        else:
            raise AvoError(f"the run in {folder} gets new versions all the time: try again")
        manifest = Manifest(
            settings["scenario"], settings["target"], settings.get("digest", ""), len(lineage.versions()), attempts,
            main, datetime.now(UTC).isoformat(timespec="seconds"),
        )  # fmt: skip
        (scratch / MANIFEST).write_text(json.dumps(asdict(manifest), indent=1))
        _pack(scratch, scratch / "archive")
        (scratch / "archive").replace(file)
    return manifest


def unpack(file: Path, folder: Path, check: SourcesCheck) -> Manifest:
    """Recreate an archived run in the empty `folder`, after all checks. Raises AvoError.

    check: raises for sources of a version that cannot be a candidate.
    """
    manifest = _extract(file, folder)
    found = settings_in(folder / SETTINGS)
    for key, pattern in FACTS.items():
        if not pattern.fullmatch(found.get(key, "")) or found[key] != getattr(manifest, key):
            raise AvoError(f"{file}: its {SETTINGS} has no {key} that can be used")
    _check_journal(file, folder / JOURNAL)
    journal = Journal(folder / JOURNAL)
    problem = f"{file}: a row of its {JOURNAL} cannot be read"
    attempts = _read(problem, lambda: [attempt.verdict.as_dict() for attempt in journal.attempts()])
    _read(problem, lambda: (journal.comparisons(), journal.interventions()))
    journal.close_open_steps("the run went on from an archive")
    journal.close()
    lineage = Lineage(folder / LINEAGE, create=True)
    try:
        lineage.take(folder / BUNDLE)
        lineage.check()
        for version in lineage.versions():
            check(version, lineage.files(version))
        lineage.repair()
        lineage.restore()
    except AvoError as error:
        raise AvoError(f"{file}: {error}") from error
    (folder / BUNDLE).unlink()
    if (lineage.head(), len(lineage.versions()), len(attempts)) != (
        manifest.main, manifest.versions, manifest.attempts,
    ):  # fmt: skip
        raise AvoError(f"{file} does not hold the versions and attempts that its {MANIFEST} names")
    return manifest


def _pack(folder: Path, file: Path) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in LARGEST:
            archive.write(folder / part, part, zipfile.ZIP_STORED if part == BUNDLE else None)
    with file.open("rb") as written:
        os.fsync(written.fileno())


def _extract(file: Path, folder: Path) -> Manifest:
    """Write the parts into `folder`, after checking their names, sizes and checksums. Raises AvoError."""
    try:
        with zipfile.ZipFile(file) as archive:
            infos = {info.filename: info for info in archive.infolist()}
            if odd := sorted({*infos} ^ {*LARGEST}) or len(infos) != len(archive.infolist()):
                what = f"what about {odd[0]!a}?" if isinstance(odd, list) else "a part stands twice"
                raise AvoError(f"{file} is no archive of a run: {what}")
            for name, info in infos.items():
                plain = not stat.S_ISLNK(info.external_attr >> 16) and info.compress_type in (0, zipfile.ZIP_DEFLATED)
                if not plain or info.file_size > LARGEST[name]:
                    raise AvoError(f"{file}: {name} is no plain file, or larger than {LARGEST[name]} bytes")
            manifest = _manifest(file, archive.read(MANIFEST))
            for name in (SETTINGS, BUNDLE, JOURNAL):
                with archive.open(name) as source, (folder / name).open("xb") as target:
                    shutil.copyfileobj(source, target)
    except DAMAGED as error:
        raise AvoError(f"{file} is no archive of a run, or damaged: {error}") from error
    return manifest


def _manifest(file: Path, content: bytes) -> Manifest:
    data = _read(f"{file}: its {MANIFEST} cannot be read", lambda: dict(json.loads(content)))
    if data.get("format") != FORMAT:
        raise AvoError(f"{file} has format {data.get('format')!a}, and this avo reads format {FORMAT}: update avo")
    data.pop("parts", None)  # digests that earlier versions of avo wrote beside those of the archive itself
    return _read(f"{file}: its {MANIFEST} cannot be read", lambda: Manifest(**data))


def _check_journal(file: Path, path: Path) -> None:
    """Raise AvoError unless the database is intact and has exactly a journal's tables, with values of their types.

    The schema is compared before anything else is read: a view or a trigger would execute its author's SQL.
    """
    problem = f"{file}: its {JOURNAL} cannot be read"
    db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True, isolation_level=None)
    try:
        db.execute("PRAGMA trusted_schema=OFF")
        db.execute("PRAGMA cell_size_check=ON")
        schema = db.execute("PRAGMA user_version").fetchone()[0]
        if not 1 <= schema <= SCHEMA:
            raise AvoError(f"{file}: its {JOURNAL} has schema {schema}, and this avo knows 1 to {SCHEMA}: update avo")
        if _schema(db) != _schema(_empty(schema)):
            raise AvoError(f"{file}: its {JOURNAL} has other tables than a journal")
        pages = db.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").fetchone()[0]
        if pages != path.stat().st_size:
            raise AvoError(f"{file}: its {JOURNAL} is longer or shorter than it says")
        if db.execute("PRAGMA integrity_check(1)").fetchone() != ("ok",):
            raise AvoError(f"{file}: its {JOURNAL} is damaged")
        for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type='table'").fetchall():
            for _, column, kind, required, _, _ in db.execute(f"PRAGMA table_info({table})").fetchall():
                kinds = (*TYPES[kind], *(() if required else ("null",)))
                marks = ", ".join("?" * len(kinds))
                odd = f"SELECT 1 FROM {table} WHERE typeof({column}) NOT IN ({marks}) LIMIT 1"
                if db.execute(odd, kinds).fetchone():
                    raise AvoError(f"{problem}: {table}.{column}")
            for _ in db.execute(f"SELECT * FROM {table}"):  # as text: it may not be UTF-8
                pass
    except (sqlite3.Error, sqlite3.Warning) as error:
        raise AvoError(f"{problem}: {error}") from error
    finally:
        db.close()


def _empty(schema: int) -> sqlite3.Connection:
    db = sqlite3.connect(":memory:", isolation_level=None)
    migrate(db, 0, schema)
    return db


def _schema(db: sqlite3.Connection) -> set[tuple[Any, ...]]:
    return set(db.execute("SELECT type, name, tbl_name, sql FROM sqlite_master"))


def _read(problem: str, work: Callable[[], T]) -> T:
    """Return the result of `work`. Raises AvoError with `problem` if the data are malformed."""
    try:
        return work()
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise AvoError(problem) from error
