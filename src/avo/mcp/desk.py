"""An external agent's tool calls on a run: one change at a time, journalled with their answers, and cancellable."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from avo.faults import fault_of
from avo.memory.journal.steering import mark_seen, unseen
from avo.operators.external import answered, begin, called, end, readable, told
from avo.run import plant_seed
from avo.sandbox.process import kill_all
from avo.scenarios.discreet import discreet
from avo.settings import without_secrets
from avo.tools.all_tools import registry
from avo.tools.answer import Answer
from avo.tools.devices.lease import wait_again, wait_no_longer
from avo.tools.history import latest_notes, lineage
from avo.tools.payloads import Ended, Interrupted
from avo.tools.workspace import Workspace
from avo.types import AvoError, Cancelled, NothingScored

LONGEST_CALL = 2000
"""Longest call that `avo memory log` shows, in characters; the journal has all of it."""
KILL_AGAIN_SECONDS = 0.05
"""Seconds between repeated kills: the process may just be between two children."""


class Desk:
    """The tools over one workspace. Calls wait until the seed was scored; those that only read wait for no other."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace, self.registry = workspace, registry(workspace)
        self._changing = asyncio.Lock()
        self._working: asyncio.Task[Answer] | None = None
        self._stopping: set[asyncio.Task[None]] = set()
        self._ready = asyncio.create_task(self._prepare())

    async def _prepare(self) -> None:
        await plant_seed(self.workspace)
        begin(self.workspace)

    async def _prepared(self) -> None:
        """Wait until the run is ready; after a fault of the machine, try again. Raises AvoError."""
        failed = self._ready.done() and not self._ready.cancelled() and self._ready.exception()
        if failed and not isinstance(failed, NothingScored):
            self._ready = asyncio.create_task(self._prepare())
        await asyncio.shield(self._ready)

    async def read(self, name: str) -> str:
        """Return the step's brief, the versions of its lineage or the notes, once the run is ready.

        Raises AvoError with a line that a client may read, for instance if the seed scores nothing.
        """
        try:
            await self._prepared()
            if name == "brief":
                return await told(self.workspace)
            return await lineage(self.workspace) if name == "lineage" else latest_notes(self.workspace) or "none yet"
        except Exception as error:
            raise AvoError(self._told(error)) from error

    def start(self, name: str, arguments: Mapping[str, Any]) -> asyncio.Task[Answer]:
        """Call a tool; the task raises only if it is cancelled while it waits for its turn."""
        return asyncio.create_task(self._answer(name, arguments))

    def stop(self, task: asyncio.Task[Answer]) -> None:
        """Stop a running call, or cancel one that still waits for its turn."""
        if task is not self._working:
            task.cancel()
            return
        stopping = asyncio.create_task(_killed(task))
        self._stopping.add(stopping)
        stopping.add_done_callback(self._stopping.discard)

    async def close(self) -> None:
        """Stop all calls, and wait until they are journalled."""
        for task in (self._ready, self._working):
            if task is not None:
                await _killed(task)
        if not self._ready.cancelled():
            self._ready.exception()

    async def _answer(self, name: str, arguments: Mapping[str, Any]) -> Answer:
        failing = "the run cannot begin"
        try:
            await self._prepared()
            failing = name
            return await self._in_turn(name, arguments)
        except Exception as error:  # also in the journal of the call itself: a full disk, for instance
            return Answer(f"{failing}: {self._told(error)}", worked=False)

    def _told(self, error: Exception) -> str:
        """Return an error as one line for the client; a defect of avo is also logged to the artifacts."""
        if isinstance(error, Cancelled):
            return "stopped by the client"
        fault = fault_of(error)
        if fault is None:
            self.workspace.log(error)
        line = str(fault or f"internal error: {type(error).__name__}: {error}")
        return discreet(without_secrets(line), self.workspace.scenario)

    async def _in_turn(self, name: str, arguments: Mapping[str, Any]) -> Answer:
        entry = self.registry.tools.get(name)
        if not (entry and entry.changes):
            return await self._call(name, arguments)
        async with self._changing:
            self._working = asyncio.current_task()
            try:
                return await self._call(name, arguments)
            finally:
                self._working = None

    async def _call(self, name: str, arguments: Mapping[str, Any]) -> Answer:
        said = f"{name}({json.dumps(arguments)})"
        step = self.workspace.step
        number = called(self.workspace.journal, step, name, said[:LONGEST_CALL], arguments)
        versions = len(self.workspace.lineage.versions())
        made = await self._outcome(name, arguments)
        words = unseen(self.workspace.journal)
        told = "".join(f"\n[a person says: {entry.text}]" for entry in words)
        answered(self.workspace.journal, step, number, name, replace(made, text=made.text + told))
        text = made.text
        if len(self.workspace.lineage.versions()) > versions:  # also where what came after the commit failed
            version = self.workspace.lineage.versions()[-1]
            text += self._next("committed", f"{version.name}: {version.message}")
        elif isinstance(made.data, Ended):
            text = self._next("exhausted" if made.data.exhausted else "gave_up", made.data.reason).strip()
        mark_seen(self.workspace.journal, words)
        return replace(made, text=readable(text + told))

    async def _outcome(self, name: str, arguments: Mapping[str, Any]) -> Answer:
        try:
            return await self.registry.call(name, arguments)
        except Exception as error:
            data = Interrupted() if isinstance(error, Cancelled) else None
            return Answer(f"{name}: {self._told(error)}", data, False)

    def _next(self, outcome: str, summary: str) -> str:
        """Close the step and open the next one; return a message about it."""
        over, workspace = self.workspace.step, self.workspace
        end(workspace.journal, workspace.lineage, over, outcome, summary)
        workspace.ended, workspace.exhausted = "", False
        begin(workspace)
        return (
            f"\nStep {over} is over, step {workspace.step} begins: the work tree holds {workspace.lineage.best().name}."
        )


async def _killed(task: asyncio.Task[Any]) -> None:
    """Stop what a task waits for, be it a device, and wait until it is over."""
    try:
        while not task.done():
            wait_no_longer()
            kill_all()
            await asyncio.wait({task}, timeout=KILL_AGAIN_SECONDS)
    finally:
        wait_again()
