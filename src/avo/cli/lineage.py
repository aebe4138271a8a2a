"""`avo lineage`: the versions of a run."""

from __future__ import annotations

import math
from typing import Annotated

import typer

from avo.cli.options import AsJson, RunFolder, consulted_text, latest_run, print_json, printable
from avo.memory.journal.journal import Journal
from avo.memory.lineage import Lineage
from avo.run import existing
from avo.tools.history import scored_by, version_line
from avo.tools.origin import SEED_FROM, sources_of
from avo.tools.workspace import unified_diff
from avo.types import Version, figure

VersionName = Annotated[str, typer.Argument(metavar="VERSION", help="v0 (the seed), v1, … or best.")]
Side = Annotated[
    str, typer.Argument(metavar="VERSION", help="v0 (the seed), v1, … or best; seed-from: what was brought in.")
]


def log(run: RunFolder = None, as_json: AsJson = False) -> None:
    """List the versions, the seed first: score, gain over the best before it, message; the device where it changes."""
    journal, lineage = existing(run or latest_run())
    devices = {version.name: lineage.facts(version).get("Device", "") for version in lineage.versions()}
    if as_json:
        keys = ("version", "commit", "score", "unit", "gain", "message", "scores", "improved", "at", "device", "rules")
        told = []
        for version in lineage.versions():
            facts = {"version": version.name, "device": devices[version.name], "scored_anew": _anew(journal, version)}
            entry = version.as_dict() | facts | {"rules": lineage.facts(version).get("Rules", "")}
            told.append({key: entry[key] for key in (*keys, "scored_anew")} | _origin(lineage, version))
        print_json(told)
        return
    before = ""
    for version in lineage.versions():
        device, before = devices[version.name] if devices[version.name] != before else "", devices[version.name]
        origin = "".join(f"  (begun from {text})" for text in _origin(lineage, version).values())
        by, anew = scored_by(lineage, version), _anew(journal, version)
        by += f", scored anew: {figure(anew)} {version.unit}" if by and anew is not None else ""
        print(printable(version_line(version, by) + (f"  [{device}]" if device else "") + origin))


def _anew(journal: Journal, version: Version) -> float | None:
    """Return a version's later score, by a newer judge or on another machine; None without one."""
    attempt = journal.attempt_of(version.tree)
    own = attempt is None or math.isclose(attempt.verdict.score, version.score, rel_tol=1e-5)  # the trailer is rounded
    return None if attempt is None or own else attempt.verdict.score


def _origin(lineage: Lineage, version: Version) -> dict[str, str]:
    """Return the origin of the lineage, with its first version; else empty."""
    text = lineage.facts(version).get("Seed-From") if version.name == "v0" else ""
    return {"seed_from": text} if text else {}


def show(version: VersionName, run: RunFolder = None, as_json: AsJson = False) -> None:
    """Show a version: message, scores by case, passages of the knowledge base that led to it, sources."""
    journal, lineage = existing(run or latest_run())
    found = lineage.version(version)
    older = f" ({by})" if (by := scored_by(lineage, found)) else ""
    files = {name: content.decode("utf-8", "replace") for name, content in lineage.files(found).items()}
    consulted = journal.consulted_for(found.tree)
    if as_json:
        told = [{key: row[key] for key in ("chunk", "query")} for row in consulted]
        print_json(found.as_dict() | {"files": files, "consulted": told} | _origin(lineage, found))
        return
    print(
        f"{found.name} {found.commit} {found.at}\n"
        f"{figure(found.score)} {found.unit}{older}, x{found.gain:.4f}\n\n{printable(found.message)}\n"
    )
    for text in _origin(lineage, found).values():
        print(printable(f"begun from {text}\n"))
    for case, value in found.scores.items():
        print(f"{case:10} {figure(value):>10} {found.unit}")
    if consulted:
        print("\nconsulted on the way:\n" + consulted_text(consulted))
    for name, text in files.items():
        print(printable(f"\n--- {name}\n{text}"))


def diff(first: Side, second: Side, run: RunFolder = None, as_json: AsJson = False) -> None:
    """Show how the sources of two versions differ."""
    journal, lineage = existing(run or latest_run())
    if SEED_FROM in (first, second):
        text = unified_diff(*(sources_of(journal, lineage, name)[1] for name in (first, second)))
    else:
        text = lineage.diff(lineage.version(first), lineage.version(second))
    journal.close()
    print_json({"first": first, "second": second, "diff": text}) if as_json else print(printable(text))
