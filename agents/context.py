"""An agent's message history: journalled in full, and bounded in what its model is shown.

A model sees the task of its step, a summary that replaces older messages, and the latest messages within a budget.
The beginning of this prompt is the same from call to call, so that providers can cache it, until the budget is used
up; then the older part is compacted at once. Every message stays in the journal in full.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autogen_core.model_context import ChatCompletionContext
from autogen_core.models import (
    AssistantMessage,
    FunctionExecutionResult,
    FunctionExecutionResultMessage,
    LLMMessage,
    UserMessage,
)

from avo.agents.models.messages import INTERRUPTED, describe, packed, short, unpacked
from avo.agents.summaries import DIGEST, digest, framed, joined, pinned
from avo.agents.worker import NAME as WORKER
from avo.tools import payloads
from avo.tools.payloads import Interrupted, Payload
from avo.tools.workspace import Workspace

CHARACTERS = 400_000
"""Default budget, in characters of JSON (about 100,000 tokens), for a model whose context length is not known."""
FEWEST = 8_000
"""Smallest possible budget, in characters."""
KEPT = 0.5
"""Fraction of the budget that a compaction keeps: small enough that compactions, which spoil the cache, are rare."""
ONE = 0.25
"""Fraction of the budget that one message may take; longer ones are elided for the model."""
CUT = "\n(Your answer was cut off at the model's limit for one answer: make smaller calls, for instance several edits.)"
"""Appended to the result of a call that the output limit cut off."""


@dataclass(frozen=True)
class Entry:
    """A message as the model is shown it, elided if it is long."""

    number: int
    """The message's number in the journal."""
    message: LLMMessage
    size: int
    """Length of the message as JSON, in characters."""


class JournalContext(ChatCompletionContext):
    """The message history of one agent, as AutoGen's model context."""

    def __init__(
        self, agent: str, workspace: Workspace, tools: Sequence[str] = (), budget: int = CHARACTERS,
        heard: dict[str, Payload] | None = None,
    ) -> None:  # fmt: skip
        """Read the agent's history back from the journal.

        tools: names of the agent's tools, listed in the answer to a call of an unknown one.
        budget: characters of JSON that the model may be shown.
        heard: payloads of the messages to come, by call id or message kind; journalled with the messages.
        """
        super().__init__()
        self._heard = {} if heard is None else heard
        self.agent, self.workspace, self.tools, self.budget = agent, workspace, tools, max(budget, FEWEST)
        self._entries: list[Entry] = []
        self._task: Entry | None = None
        self._cut: set[str] = set()
        self._ahead: LLMMessage | None = None
        self._summary = workspace.journal.summary(agent)
        self._load()

    @property
    def size(self) -> int:
        """Characters of the latest messages, as the model is shown them."""
        return sum(entry.size for entry in self._entries)

    @property
    def last(self) -> LLMMessage | None:
        """The latest message."""
        return self._entries[-1].message if self._entries else None

    async def repair(self) -> None:
        """Answer the calls that a killed process left open: providers refuse a call without a result."""
        last = self.last
        if isinstance(last, AssistantMessage) and isinstance(last.content, list):
            self._heard |= {c.id: Interrupted() for c in last.content}
            results = [
                FunctionExecutionResult(content=INTERRUPTED, name=c.name, call_id=c.id, is_error=True)
                for c in last.content
            ]
            await self.add_message(FunctionExecutionResultMessage(content=results))

    async def answered(self, message: AssistantMessage) -> None:
        """Journal a paid answer before AutoGen handles it, so that a kill in between does not lose it."""
        self._ahead = None
        await self.add_message(message)
        self._ahead = message

    async def add_message(self, message: LLMMessage) -> None:
        """Journal a message and append it; compact the history when it exceeds the budget.

        Ignores the message that `answered` just stored.
        """
        ahead, self._ahead = self._ahead, None
        if message == ahead:
            return
        if isinstance(message, FunctionExecutionResultMessage):
            for result in message.content:
                if result.is_error and self.tools and result.name not in self.tools:
                    result.content = f"there is no tool '{result.name}'; there are: {', '.join(self.tools)}"
                elif result.is_error and result.call_id in self._cut:
                    result.content += CUT
            self._cut.clear()
        kind, tool, text = describe(message)
        journal, data = self.workspace.journal, self._data(kind, message)
        number = journal.add_message(self.workspace.step, self.agent, kind, text, packed(message), tool, data)
        self._append(self._entry(number, message))
        if self.size > self.budget:
            self._compact(int(self.budget * KEPT))

    def _data(self, kind: str, message: LLMMessage) -> Mapping[str, Any] | None:
        """Return the message's payloads as the journal stores them; None when there are none."""
        results = message.content if isinstance(message, FunctionExecutionResultMessage) else ()
        keys = [result.call_id for result in results] or [kind]
        return payloads.packed({key: self._heard[key] for key in keys if key in self._heard})

    def was_cut(self, call: str) -> None:
        """Note that the model's output limit cut off the answer within this call: its error result will say so."""
        self._cut.add(call)

    async def get_messages(self) -> list[LLMMessage]:
        """Return the messages to send: the task, the summary, and the latest messages."""
        task = [self._task.message] if self._task and not self._holds(self._task) else []
        return [*task, *self._frame, *(entry.message for entry in self._entries)]

    def shorten(self) -> bool:
        """Halve the prompt and the budget for good. Return False when nothing more can be left out."""
        shown = self._characters()
        self.budget = max(min(self.budget, shown) // 2, FEWEST)
        self._entries = [self._entry(entry.number, entry.message) for entry in self._entries]
        if self._task:
            self._task = self._entry(self._task.number, self._task.message)
        self._compact(int(self.budget * KEPT))
        return self._characters() < shown * 0.9

    def replace(self, text: str, writer: str) -> None:
        """Replace all messages so far by the summary `text`. Only at the end of a step, when no call is open."""
        if self._entries:
            self._summarise(self._entries[-1].number, text, "", writer)
            self._entries = []

    def _load(self) -> None:
        """Read back the messages after the summary, which a compaction or the end of a step keeps short."""
        after = self._summary.upto if self._summary else 0
        for row in self.workspace.journal.messages(self.agent, after=after):
            self._append(self._entry(row.id, unpacked(row.payload, row.text)))
        if self._task is None and (task := self.workspace.journal.latest(self.agent, "task")):
            self._task = self._entry(task.id, unpacked(task.payload, task.text))
        if self.size > self.budget:
            self._compact(int(self.budget * KEPT))

    def _entry(self, number: int, message: LLMMessage) -> Entry:
        shown = short(message, int(self.budget * ONE))
        return Entry(number, shown, len(shown.model_dump_json()))

    def _append(self, entry: Entry) -> None:
        self._entries.append(entry)
        if isinstance(entry.message, UserMessage) and entry.message.source == "user":
            self._task = entry

    def _holds(self, entry: Entry) -> bool:
        return bool(self._entries) and entry.number >= self._entries[0].number

    def _characters(self) -> int:
        task = self._task.size if self._task and not self._holds(self._task) else 0
        return task + self.size + sum(len(message.model_dump_json()) for message in self._frame)

    def _compact(self, wanted: int) -> None:
        """Replace the oldest messages by a digest, to about `wanted` characters; calls stay with their results."""
        size, cut = self.size, 0
        while cut < len(self._entries) - 1 and size > wanted:
            size -= self._entries[cut].size
            cut += 1
        while cut and isinstance(self._entries[cut].message, FunctionExecutionResultMessage):
            cut -= 1  # calls stay with their results
        if cut:
            gone, self._entries = self._entries[:cut], self._entries[cut:]
            lines = digest([(entry.number, entry.message) for entry in gone])
            text = joined(self._summary.text if self._summary else "", lines, self.budget // 8)
            kept = pinned(self.workspace, self.budget // 8) if self.agent == WORKER else ""
            self._summarise(gone[-1].number, text, kept, DIGEST)

    def _summarise(self, upto: int, text: str, kept: str, writer: str) -> None:
        self.workspace.journal.add_summary(self.workspace.step, self.agent, upto, text, kept, writer)
        self._summary = self.workspace.journal.summary(self.agent)

    @property
    def _frame(self) -> list[LLMMessage]:
        if self._summary is None:
            return []
        return [UserMessage(content=framed(self._summary, self.budget // 4), source="summary")]
