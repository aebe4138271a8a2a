"""Migration of texts of avo before schema 7 to payloads: done once, when a journal is migrated to that schema.

A migration never changes, so neither do these texts, whatever avo prints today.
"""

from __future__ import annotations

import base64
import json
import re
import sqlite3
from collections.abc import Iterator
from typing import Any

SCHEMA = 7
"""The schema to which this migrates."""
BRIEF = re.compile(
    r"# Step (\d+)([^\n]*)\n(.*?)\nTarget: [^\n]*\.\n\n"
    r"# (?:First: adapt what was brought in|Versions so far\nv0 )", re.DOTALL,
)  # fmt: skip
"""A brief; the task in it may itself have lines that begin with "Target:"."""
BUILD = re.compile(r"build: ([A-Z_]+): ([^\n]*)")
CHECKOUT = re.compile(r"the work tree is (?:(v\d+) now|what was brought in now)")
INTERRUPTED = "[interrupted: "
SEED_FROM = "seed-from"
KEPT = ("spec", "run", "scenario", "version", "unit", "abi", "task")


def rewrite(db: sqlite3.Connection) -> None:
    """Fill in the payloads of existing messages, and the table of the run's origin."""
    cursor = db.execute("SELECT id, agent, kind, tool, text, payload, at FROM messages ORDER BY id")
    for number, agent, kind, tool, text, payload, at in cursor.fetchall():
        data: dict[str, Any] = {}
        if kind == "task" and (brief := BRIEF.match(text)):
            begun = {"kind": "begun", "step": int(brief[1]), "resumed": "(resumed)" in brief[2], "versions": 0}
            data = {"task": begun | {"task": brief[3], "refused": []}}
        elif kind == "result" and (told := _told(tool, text)):
            data = dict.fromkeys(_calls(payload), told)
        elif (agent, kind) == ("avo", SEED_FROM):
            _move(db, payload, at)
            db.execute("UPDATE messages SET payload='' WHERE id=?", (number,))
        if data:
            db.execute("UPDATE messages SET data=? WHERE id=?", (json.dumps(data), number))


def _told(tool: str | None, text: str) -> dict[str, Any] | None:
    """Return the payload of an answer, where a current avo still reads it; else None."""
    if text.startswith(INTERRUPTED):
        return {"kind": "interrupted"}
    if tool == "build" and (failed := BUILD.match(text)):
        return {"kind": "rejection", "status": failed[1], "reason": failed[2]}
    if tool == "checkout" and (made := CHECKOUT.match(text)):
        return {"kind": "tree", "files": [], "version": made[1] or SEED_FROM}
    return None


def _calls(payload: str) -> Iterator[str]:
    """Yield the ids of the calls that a message answers: by an agent, or by an external operator."""
    try:
        found = json.loads(payload)
        entries = [found["call"]] if "call" in found else [entry["call_id"] for entry in found["content"]]
    except (KeyError, TypeError, ValueError, RecursionError):
        return
    yield from map(str, entries)


def _move(db: sqlite3.Connection, payload: str, at: str) -> None:
    """Move the record of an imported version from its message to its table; a damaged one gets no files."""
    if db.execute("SELECT 1 FROM brought").fetchone():
        return
    try:
        facts = json.loads(payload)
        files = {str(name): base64.b64decode(text, validate=True) for name, text in facts["files"].items()}
        row = [str(facts[key]) for key in KEPT] + [str(facts["commit"]), float(facts["score"])]
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        files, row = {}, ["" for _ in KEPT] + ["", 0.0]
    columns = ", ".join((*KEPT, "commit_id", "score", "at"))
    marks = ", ".join("?" * (len(KEPT) + 3))
    db.execute(f"INSERT INTO brought ({columns}) VALUES ({marks})", (*row, at))
    db.executemany("INSERT INTO brought_files (name, content) VALUES (?, ?)", files.items())
