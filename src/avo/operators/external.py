"""An external operator's step: calls of people and programs by commands or MCP, journalled like an agent's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from avo.agents.tracing import traced
from avo.evolve import brief, edited
from avo.memory.journal.journal import AGENT, EXTERNAL, Journal
from avo.memory.lineage import Lineage
from avo.operators.seed import warn_of_seed
from avo.run import open_run, plant_seed
from avo.scenarios.loader import Scenario
from avo.tools.answer import Answer, failed
from avo.tools.build.seeds import folder_sources
from avo.tools.build.sources import Sources, read_sources
from avo.tools.payloads import TASK, Interrupted, packed
from avo.tools.workspace import Workspace, unified_diff
from avo.types import AvoError, Rejected, ToolError

CUT_OFF = Answer(
    "[interrupted: avo ended during this call; what it kept stands in the attempts and the lineage]",
    Interrupted(),
    False,
)
"""Answer of a call that a killed process left unanswered."""
RULES = Path(__file__).with_name("operator.md")
"""The text that an operator reads before the brief."""
LOOKED_BACK = 100
"""Number of latest messages searched for unanswered calls, of which there can only be a few."""


@dataclass
class Offered(Workspace):
    """A workspace whose candidate is not in the work tree; the work tree stays as it is."""

    offered: Sources = field(default_factory=dict)

    def sources(self) -> Sources:
        """Return the candidate's sources."""
        return self.offered


@contextmanager
def external_step(
    run: Path, scenario: Scenario, target: str, path: Path | None, seed_from: str = ""
) -> Iterator[Workspace]:
    """Yield the run's workspace over the candidate in `path` (default: the work tree); a new run first gets its seed.

    The step stays open for further evaluations until a commit. Raises AvoError.
    """
    if path and not path.is_dir():
        raise AvoError(f"no folder '{path}'")
    offered = folder_sources(path) if path else None
    with traced(), open_run(run, scenario, target, seed_from=seed_from) as workspace:
        asyncio.run(plant_seed(workspace))
        warn_of_seed(workspace)
        if offered is not None:
            workspace = Offered(**{f.name: getattr(workspace, f.name) for f in fields(workspace)}, offered=offered)
        workspace.step, _ = workspace.journal.open_step(workspace.lineage.best().name, EXTERNAL)
        close_open_calls(workspace.journal)
        yield workspace


def begin(workspace: Workspace) -> None:
    """Open a step in the work tree, or resume the open one; an agent's interrupted step is closed."""
    for step in workspace.journal.steps():
        if step["ended"] is None and step["operator"] == AGENT:
            workspace.journal.close_step(step["id"], "interrupted", "another operator went on in the work tree")
    workspace.step, _ = workspace.journal.open_step(workspace.lineage.best().name, EXTERNAL)
    close_open_calls(workspace.journal)


def end(journal: Journal, lineage: Lineage, step: int, outcome: str, summary: str) -> str:
    """Close a step and restore the work tree to the latest version. Return the diff of uncommitted edits."""
    best, left = lineage.best().name, unsaved(lineage)
    keep_unsaved(journal, step, best, left)
    lineage.restore()
    journal.close_step(step, outcome, readable(summary).partition("\n")[0])
    return left


def unsaved(lineage: Lineage) -> str:
    """Return the diff from the latest version to the work tree."""
    try:
        return unified_diff(lineage.files(lineage.best()), read_sources(lineage.folder))
    except ToolError as error:
        return f"(the work tree cannot be read: {error})"


def keep_unsaved(journal: Journal, step: int, best: str, left: str) -> None:
    """Journal a diff against version `best` that is about to be removed from the work tree."""
    if left:
        journal.add_message(step, EXTERNAL, "text", readable(f"not committed, against {best}:\n{left}"), "")


def begun(workspace: Workspace) -> bool:
    """Return True if the operator requested this step's brief: a refused commit then leaves the step open."""
    told = workspace.journal.latest(EXTERNAL, "task")
    return told is not None and told.step == workspace.step


async def told(workspace: Workspace) -> str:
    """Return the step's brief, and journal it as a message to the operator."""
    made = await brief(workspace, edited(workspace))
    data = packed({TASK: made.data}) if made.data else None
    workspace.journal.add_message(workspace.step, EXTERNAL, "task", made.text, "", data=data)
    return made.text


def called(journal: Journal, step: int, tool: str, text: str, arguments: Mapping[str, Any]) -> int:
    """Journal a call before it is made; return its number."""
    said, payload = (readable(part) for part in (text, json.dumps(arguments)))
    return journal.add_message(step, EXTERNAL, "call", said, payload, tool)


def answered(journal: Journal, step: int, call: int, tool: str, made: Answer) -> None:
    """Journal the answer to call number `call`."""
    data = packed({str(call): made.data}) if made.data else None
    journal.add_message(step, EXTERNAL, "result", readable(made.text), json.dumps({"call": call}), tool, data)


def close_open_calls(journal: Journal) -> None:
    """Journal that the calls left open by a killed process were interrupted."""
    last = [message for message in journal.messages(EXTERNAL, last=LOOKED_BACK) if message.payload]
    done = {json.loads(message.payload)["call"] for message in last if message.kind == "result"}
    for message in last:
        if message.kind == "call" and message.id not in done:
            answered(journal, message.step, message.id, message.tool or "", CUT_OFF)


def readable(text: str) -> str:
    """Return the text with characters that UTF-8 cannot encode replaced."""
    return text.encode("utf-8", "replace").decode()


def answer(workspace: Workspace, tool: str, said: str, work: Callable[[], Coroutine[Any, Any, Answer]]) -> Answer:
    """Run `work` as a call of `tool`, journal call and answer, and return the answer. Raises AvoError."""
    number = called(workspace.journal, workspace.step, tool, f"{tool}: {said}", {"said": said})
    try:
        made = asyncio.run(work())
    except (ToolError, Rejected) as error:
        made = failed(error)
    except AvoError:
        with suppress(AvoError):  # the step stays open; the journal may be what is at fault
            answered(workspace.journal, workspace.step, number, tool, CUT_OFF)
        raise
    answered(workspace.journal, workspace.step, number, tool, made)
    return made
