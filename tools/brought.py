"""What a run was begun from: a version of another run, whose sources the journal keeps until they are adapted."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from avo.memory.journal import Journal
from avo.memory.lineage import Lineage
from avo.tools.sources import LARGEST_BYTES, MOST_FILES, NAME, Sources, digest
from avo.types import AvoError, Version, figure

SEED_FROM = "seed-from"
"""What it is called beside v0, v1, …"""
# A message, since an archive carries all of them whole.
KEEPER = "avo"
"""As whose message it is kept."""
CHECKOUT = re.compile(r"checkout\((\{[^}]*\})")
ENOUGH = 0.5
"""Part of its own lines that a version has to hold to be taken for a descendant."""


@dataclass(frozen=True)
class Brought:
    """One version of another run."""

    spec: str
    """As the user named it."""
    run: str
    """Name of that run's folder."""
    scenario: str
    version: str
    commit: str
    score: float
    """There, in `unit`."""
    unit: str
    abi: str
    """avo_abi.h there; empty when it is not known."""
    task: str
    """What the task said there; empty when it is not known."""
    files: Sources

    @property
    def label(self) -> str:
        """For people and agents."""
        return f"{self.version} of {self.run} ({self.scenario})"

    @property
    def origin(self) -> str:
        """For the trailer."""
        return f"{self.run} {self.scenario}, {self.version}, {self.commit}"


def keep(journal: Journal, came: Brought) -> None:
    """Write it into the journal, byte for byte, unless something stands there already."""
    if brought(journal) is None:
        files = {name: base64.b64encode(content).decode() for name, content in came.files.items()}
        text = f"brought in: {came.label}, {figure(came.score)} {came.unit} there: {', '.join(came.files)}"
        journal.add_message(0, KEEPER, SEED_FROM, text, json.dumps(asdict(came) | {"files": files}), "")


def brought(journal: Journal) -> Brought | None:
    """What the run was begun from; None when that is its scenario's own seed. Raises AvoError when it is damaged."""
    message = journal.latest(KEEPER, SEED_FROM)
    if message is None:
        return None
    try:
        facts = json.loads(message.payload)
        files = {str(name): base64.b64decode(text, validate=True) for name, text in facts.pop("files").items()}
        came = Brought(files=files, **facts)
        texts = [came.spec, came.run, came.scenario, came.version, came.commit, came.unit, came.abi, came.task]
        whole = all(isinstance(text, str) for text in texts) and isinstance(came.score, (int, float))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise AvoError(f"message {message.id} of the journal, what the run was begun from, cannot be read") from error
    sizes = [len(content) for content in files.values()]
    if not whole or not 0 < len(sizes) <= MOST_FILES or max(sizes) > LARGEST_BYTES or not all(map(NAME.match, files)):
        raise AvoError(f"message {message.id} of the journal, what the run was begun from, holds no candidate")
    return came


def sources_of(journal: Journal, lineage: Lineage, name: str) -> tuple[str, Sources]:
    """Name and sources of a version, or of what was brought in. Raises AvoError."""
    came = brought(journal) if name == SEED_FROM else None
    if came:
        return SEED_FROM, came.files
    version = lineage.version(name)
    return version.name, lineage.files(version)


def first_of_line(journal: Journal, lineage: Lineage, came: Brought) -> Version | None:
    """The first version that is what was brought in, or made of it; None so far.

    It is made of it when its step last checked that out, or when it holds enough of the lines that the seed lacks.
    """
    versions = lineage.versions()
    if not versions or versions[0].tree == digest(came.files):
        return versions[0] if versions else None
    own = _lines(came.files) - _lines(lineage.files(versions[0]))
    steps = {row["tree"]: row["step"] for row in journal.rows("SELECT tree, step FROM comparisons WHERE accepted")}
    calls = "SELECT step, text FROM messages WHERE kind='call' AND tool LIKE '%checkout%' ORDER BY id"
    base = {row["step"]: (CHECKOUT.findall(row["text"]) or [""])[-1] for row in journal.rows(calls)}
    for version in versions[1:]:
        if SEED_FROM in base.get(steps.get(version.tree), ""):
            return version
        if len(own & _lines(lineage.files(version))) >= max(ENOUGH * len(own), 1):
            return version
    return None


def transfer(journal: Journal, lineage: Lineage) -> dict[str, Any] | None:
    """Where the run was begun from and how long it took from there; None when that is its scenario's own seed.

    Seconds are of elapsed run time: sessions of `avo run`; null when all was done by commands.
    """
    came = brought(journal)
    if came is None:
        return None
    tried = journal.attempt_of(digest(came.files))
    first = first_of_line(journal, lineage, came)
    best = lineage.champion() if lineage.versions() else None
    facts = {key: getattr(came, key) for key in ("run", "scenario", "version", "commit", "score", "unit")}
    verdict = {"status": str(tried.verdict.status), "reason": tried.verdict.reason} if tried else None
    return facts | {"verdict": verdict, "first_correct": _reached(journal, first), "best": _reached(journal, best)}


def transfer_text(told: Mapping[str, Any]) -> str:
    """The same in one line."""

    def reached(entry: Mapping[str, Any] | None) -> str:
        if entry is None:
            return "not yet"
        after = "" if entry["seconds"] is None else f" after {entry['seconds']:.1f} s"
        return f"{entry['version']}{after}"

    status = told["verdict"]["status"] if told["verdict"] else "not tried yet"
    return (
        f"begun from {told['version']} of {told['run']} ({told['scenario']}), {status} here; "
        f"first correct of its line: {reached(told['first_correct'])}; best: {reached(told['best'])}"
    )


def _reached(journal: Journal, version: Version | None) -> dict[str, Any] | None:
    """A version, and the elapsed run time at which the gate, or for v0 the score, let it in."""
    if version is None:
        return None
    rows = journal.rows(
        "SELECT at FROM (SELECT 1 AS source, at FROM comparisons WHERE accepted AND tree=?1 UNION ALL"
        " SELECT 2, at FROM attempts WHERE tree=?1 AND status='PASSED') ORDER BY source, at LIMIT 1",
        version.tree,
    )
    at = datetime.fromisoformat(str(rows[0]["at"]) if rows else version.at).timestamp()
    sessions = journal.rows("SELECT started, last_seen FROM sessions")
    seconds = sum(max(min(row["last_seen"], at) - row["started"], 0.0) for row in sessions)
    return {"version": version.name, "seconds": round(seconds, 1) if sessions else None}


def _lines(files: Sources) -> set[str]:
    """Every line, without the space round it."""
    text = "\n".join(content.decode("utf-8", "replace") for content in files.values())
    return {line.strip() for line in text.splitlines()} - {""}
