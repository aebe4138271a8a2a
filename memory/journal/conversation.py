"""The journal's conversations: every message of every agent, and the summaries that replace older ones."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from avo.memory.journal.rows import Message, Summary, message_from
from avo.memory.journal.table import Table, now
from avo.types import Unknown

RECALLED = "recall"
"""The tool whose results a search leaves out."""
MOST_WORDS = 8
"""Number of words of a question that `recall` uses."""
REACH = 100_000
"""Number of latest messages that `recall` searches."""


class Conversation(Table):
    """Messages and summaries."""

    def add_message(
        self, step: int, agent: str, kind: str, text: str, payload: str, tool: str | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> int:  # fmt: skip
        """Store a message; return its number.

        data: payloads of the message, by call id or kind.
        """
        self._seen()
        return self.insert(
            "messages", step=step, agent=agent, kind=kind, tool=tool, text=text, payload=payload, at=now(),
            data=json.dumps(data) if data else None,
        )  # fmt: skip

    def messages(self, agent: str | None = None, last: int = -1, after: int = 0) -> list[Message]:
        """Return messages in order: the `last` ones (-1: all) of one agent or of all, with ids above `after`."""
        rows = self.rows(
            "SELECT * FROM messages WHERE (?1 IS NULL OR agent = ?1) AND id > ?2 ORDER BY id DESC LIMIT ?3",
            agent, after, last,
        )  # fmt: skip
        return [message_from(row) for row in reversed(rows)]

    def message(self, number: int) -> Message:
        """Return a message by number. Raises Unknown."""
        rows = self.rows("SELECT * FROM messages WHERE id=?", number)
        if not rows:
            raise Unknown(f"no message {number}; there are {self.count('messages')}")
        return message_from(rows[0])

    def search(self, text: str, last: int = 50) -> list[Message]:
        """Return the last messages that contain `text`, ignoring case."""
        pattern = f"%{_escaped(text)}%"
        rows = self.rows("SELECT * FROM messages WHERE text LIKE ? ESCAPE '\\' ORDER BY id DESC LIMIT ?", pattern, last)
        return [message_from(row) for row in reversed(rows)]

    def recall(self, words: Sequence[str], last: int) -> list[Message]:
        """Return the messages with the most of these words, latest first among equals; no briefs, no recalls."""
        likes = [f"%{_escaped(word)}%" for word in words[:MOST_WORDS]]
        hits = " + ".join("(text LIKE ? ESCAPE '\\')" for _ in likes)
        rows = self.rows(
            f"SELECT * FROM messages JOIN (SELECT id, {hits} AS hits FROM messages WHERE id > ? AND kind <> 'task'"
            " AND COALESCE(tool, '') <> ? ORDER BY hits DESC, id DESC LIMIT ?) AS found USING (id)"
            " WHERE hits > 0 ORDER BY hits DESC, id DESC",
            *likes, self.count("messages") - REACH, RECALLED, last,
        ) if likes else []  # fmt: skip
        return [message_from({key: value for key, value in row.items() if key != "hits"}) for row in rows]

    def latest(self, agent: str, kind: str) -> Message | None:
        """Return the last message of that kind; None without one."""
        query = "SELECT * FROM messages WHERE agent=? AND kind=? ORDER BY at DESC, id DESC LIMIT 1"
        rows = self.rows(query, agent, kind)
        return message_from(rows[0]) if rows else None

    def add_summary(self, step: int, agent: str, upto: int, text: str, pinned: str, writer: str) -> None:
        """Store a summary that replaces the agent's messages up to number `upto`.

        pinned: current plan, notes and advice. writer: model or digest.
        """
        self.insert(
            "summaries", step=step, agent=agent, upto=upto, text=text, pinned=pinned, writer=writer, at=now()
        )  # fmt: skip

    def summary(self, agent: str) -> Summary | None:
        """Return the latest summary of an agent; None without one."""
        rows = self.rows("SELECT * FROM summaries WHERE agent=? ORDER BY id DESC LIMIT 1", agent)
        return Summary(**rows[0]) if rows else None


def _escaped(text: str) -> str:
    """Return the text with LIKE's wildcards escaped."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
