"""`avo memory`: the conversation of a run, and its costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

import typer

from avo.cli.options import AsJson, RunFolder, consulted_text, latest_run, print_json, printable
from avo.memory.journal.journal import Message
from avo.memory.journal.steering import paused, unseen
from avo.run import existing
from avo.tools.history import advice_line
from avo.tools.origin import transfer, transfer_text
from avo.tools.plan import direction_line
from avo.types import counted

LINE = 160
"""Longest text of a message in a list, in characters."""
LISTED_ADVICE = 10
"""Number of latest interventions in `avo memory stats`."""
Last = Annotated[int, typer.Option(envvar="AVO_LAST", min=0, help="Only the last N messages; 0: all.")]


def _entry(message: Message) -> dict[str, Any]:
    return {key: getattr(message, key) for key in ("id", "step", "agent", "kind", "tool", "text", "at")}


def _print(messages: list[Message], as_json: bool) -> None:
    if as_json:
        print_json([_entry(message) for message in messages])
        return
    for message in messages:
        text = printable(" ".join(message.text.split()))
        short = text if len(text) <= LINE else f"{text[:LINE]} [+{len(text) - LINE}]"
        print(f"{message.id:>5} {message.step:>3} {message.agent:10} {message.kind:6} {message.tool or '':14} {short}")


def log(
    run: RunFolder = None,
    agent: Annotated[str | None, typer.Option(envvar="AVO_AGENT", help="worker, supervisor or external.")] = None,
    last: Last = 0,
    as_json: AsJson = False,
) -> None:
    """List the messages in order: number, step, agent, kind, tool, text."""
    journal, _ = existing(run or latest_run())
    _print(journal.messages(agent, last or -1), as_json)


def show(
    number: Annotated[int, typer.Argument(metavar="N", help="A message's number, as `avo memory log` shows it.")],
    run: RunFolder = None,
    as_json: AsJson = False,
) -> None:
    """Show one message whole."""
    journal = existing(run or latest_run())[0]
    message = journal.message(number)
    consulted = journal.consulted_before(message.step, message.at)
    if as_json:
        passages = [{key: row[key] for key in ("chunk", "query")} for row in consulted]
        print_json(_entry(message) | ({"consulted": passages} if passages else {}))
        return
    print(f"{message.id}  step {message.step}  {message.agent}  {message.kind} {message.tool or ''}  {message.at}")
    print(printable(message.text))
    if consulted:
        print("\nconsulted in this step so far:\n" + consulted_text(consulted))


def search(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What to look for, upper and lower case alike.")],
    run: RunFolder = None,
    last: Last = 50,
    as_json: AsJson = False,
) -> None:
    """List the messages that hold TEXT."""

    _print(existing(run or latest_run())[0].search(text, last or -1), as_json)


def plan(run: RunFolder = None, as_json: AsJson = False) -> None:
    """List the directions of the search: number, state, direction, why."""
    directions = existing(run or latest_run())[0].plan()
    if as_json:
        print_json([asdict(direction) for direction in directions])
        return
    for direction in directions:
        print(printable(direction_line(direction)))


def spent_line(entry: Mapping[str, Any]) -> str:
    """Return one row of the ledger's totals as a line."""
    parts = [f"{entry['agent']}, {entry['kind']}: {entry['entries']} times"]
    if entry["kind"] == "model":
        cached = f" ({entry['cached_tokens']} cached)" if entry["cached_tokens"] else ""
        parts.append(f"{entry['prompt_tokens']}{cached} + {entry['completion_tokens']} tokens")
        if entry["usd"] is not None:
            parts.append(f"{entry['usd']:.4f} USD")
        if entry["unpriced"]:
            parts.append(f"price not known of {entry['unpriced']}")
    parts.append(f"{entry['seconds']} s")
    if entry["device_seconds"]:
        parts.append(f"{entry['device_seconds']} s of them on the device")
    return ", ".join(parts)


def stats(run: RunFolder = None, as_json: AsJson = False) -> None:
    """Count steps, messages, attempts by status, versions, advice and what came of it, and what was spent."""
    journal, lineage = existing(run or latest_run())
    statuses: dict[str, int] = {}
    for attempt in journal.attempts(forgotten=True):
        status = "forgotten" if attempt.forgotten else str(attempt.verdict.status)
        statuses[status] = statuses.get(status, 0) + 1
    interventions = journal.interventions()
    figures: dict[str, Any] = {
        "steps": journal.count("steps"), "messages": journal.count("messages"), "attempts": statuses,
        "versions": len(lineage.versions()), "notes": [entry["text"] for entry in journal.notes()],
        "advice": len(interventions), "advice_followed_by_a_version": sum(1 for i in interventions if i.effect),
        "advice_given": [
            {"id": i.id, "step": i.step, "trigger": i.trigger, "effect": i.effect, "attempts": i.attempts}
            for i in interventions
        ],
        "seconds": round(journal.elapsed(), 1), "spent": journal.spent(),
        "paused": paused(journal) or None, "steering": journal.count("steering"), "unseen": len(unseen(journal)),
    }  # fmt: skip
    if came := transfer(journal, lineage):
        figures["seed_from"] = came
    if as_json:
        print_json(figures)
        return
    print(
        f"{counted(figures['steps'], 'step')}, {counted(figures['messages'], 'message')}, "
        f"{counted(figures['versions'], 'version')}, "
        f"{figures['seconds']} s"
    )
    if came:
        print(printable(transfer_text(came)))
    print("attempts: " + (", ".join(f"{number} {status}" for status, number in statuses.items()) or "none"))
    print(f"advice: {figures['advice']}, {figures['advice_followed_by_a_version']} times followed by a version")
    for entry in interventions[-LISTED_ADVICE:]:
        print(printable(advice_line(entry)))
    for entry in figures["spent"]:
        print(spent_line(entry))
    if figures["steering"]:
        print(f"steering: {figures['steering']} said to the worker, {figures['unseen']} not seen yet")
    if figures["paused"]:
        print(f"paused since {figures['paused']}: avo resume")
    for note in figures["notes"]:
        print(f"note: {printable(note)}")
