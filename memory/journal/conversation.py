"""The journal's conversation: what every agent read and said, and the summaries that stand for older messages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from avo.memory.journal.rows import Message, Summary, message_from
from avo.memory.journal.table import Table, now
from avo.types import Unknown

RECALLED = "recall"
"""The tool whose answers are not found again."""
MOST_WORDS = 8
REACH = 100_000
"""Latest messages that a question goes through."""


class Conversation(Table):
    """Messages and summaries."""

    def add_message(
        self, step: int, agent: str, kind: str, text: str, payload: str, tool: str | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> int:  # fmt: skip
        """data: what programs read of it, by call or by kind of message."""
        self._seen()
        return self.insert(
            "messages", step=step, agent=agent, kind=kind, tool=tool, text=text, payload=payload, at=now(),
            data=json.dumps(data) if data else None,
        )  # fmt: skip

    def messages(self, agent: str | None = None, last: int = -1, before: int | None = None) -> list[Message]:
        """In order; the `last` ones (-1: all) of one agent or of all, with an id below `before`."""
        rows = self.rows(
            "SELECT * FROM messages WHERE (?1 IS NULL OR agent = ?1) AND (?2 IS NULL OR id < ?2)"
            " ORDER BY id DESC LIMIT ?3", agent, before, last,
        )  # fmt: skip
        return [message_from(row) for row in reversed(rows)]

    def message(self, number: int) -> Message:
        rows = self.rows("SELECT * FROM messages WHERE id=?", number)
        if not rows:
            raise Unknown(f"no message {number}; there are {self.count('messages')}")
        return message_from(rows[0])

    def search(self, text: str, last: int = 50) -> list[Message]:
        """The last messages that hold `text`, upper and lower case alike."""
        pattern = f"%{_escaped(text)}%"
        rows = self.rows("SELECT * FROM messages WHERE text LIKE ? ESCAPE '\\' ORDER BY id DESC LIMIT ?", pattern, last)
        return [message_from(row) for row in reversed(rows)]

    def recall(self, words: Sequence[str], last: int) -> list[Message]:
        """Messages that hold the most of these words, the latest first among equals; briefs and recalls aside."""
        likes = [f"%{_escaped(word)}%" for word in words[:MOST_WORDS]]
        hits = " + ".join("(text LIKE ? ESCAPE '\\')" for _ in likes)
        rows = self.rows(
            f"SELECT * FROM messages JOIN (SELECT id, {hits} AS hits FROM messages WHERE id > ? AND kind <> 'task'"
            " AND COALESCE(tool, '') <> ? ORDER BY hits DESC, id DESC LIMIT ?) AS found USING (id)"
            " WHERE hits > 0 ORDER BY hits DESC, id DESC",
            *likes, self._last_message() - REACH, RECALLED, last,
        ) if likes else []  # fmt: skip
        return [message_from({key: value for key, value in row.items() if key != "hits"}) for row in rows]

    def _last_message(self) -> int:
        return int(self.value("SELECT COALESCE(MAX(id), 0) FROM messages"))

    def messages_after(self, agent: str, number: int, last: int, before: int | None = None) -> list[Message]:
        """In order; the `last` ones of an agent's messages with an id above `number` and below `before`."""
        rows = self.rows(
            "SELECT * FROM messages WHERE agent=?1 AND id > ?2 AND (?4 IS NULL OR id < ?4) ORDER BY id DESC LIMIT ?3",
            agent, number, last, before,
        )  # fmt: skip
        return [message_from(row) for row in reversed(rows)]

    def latest(self, agent: str, kind: str) -> Message | None:
        """The last message of that kind."""
        query = "SELECT * FROM messages WHERE agent=? AND kind=? ORDER BY at DESC, id DESC LIMIT 1"
        rows = self.rows(query, agent, kind)
        return message_from(rows[0]) if rows else None

    def add_summary(self, step: int, agent: str, upto: int, text: str, pinned: str, writer: str) -> None:
        """From here on the agent is shown this in place of its messages up to number `upto`.

        pinned: plan, notes and advice as they stood. writer: model or digest.
        """
        self.insert(
            "summaries", step=step, agent=agent, upto=upto, text=text, pinned=pinned, writer=writer, at=now()
        )  # fmt: skip

    def summary(self, agent: str) -> Summary | None:
        """The latest one of an agent."""
        rows = self.rows("SELECT * FROM summaries WHERE agent=? ORDER BY id DESC LIMIT 1", agent)
        return Summary(**rows[0]) if rows else None


def _escaped(text: str) -> str:
    """Text that LIKE takes as it is."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
