"""The tool recall: search in all earlier messages and notes."""

from __future__ import annotations

import re

from avo.memory.journal.rows import Message
from avo.sandbox.process import elide
from avo.tools.history import LONGEST_ANSWER
from avo.tools.plan import LARGEST_NUMBER
from avo.tools.workspace import Workspace
from avo.types import ToolError

MOST_FOUND = 12
"""Maximum number of messages that are found."""
MOST_NOTES = 8
"""Maximum number of notes that are found."""
AROUND = 160
"""Characters shown on each side of a match."""
WORD = re.compile(r"[\w.+#-]{2,}")
"""A word of a query."""


async def recall(workspace: Workspace, query: str = "", number: int = 0) -> str:
    """Search everything that was said and done in this run, also what you are not shown any more.

    query: a few words or names; what holds most of them comes first, with its number. Notes are searched too.
    number: shows that message whole.
    """
    if number:
        message = workspace.journal.message(min(abs(number), LARGEST_NUMBER))
        return elide(f"{_head(message)}\n{message.text}", LONGEST_ANSWER)
    words = list(dict.fromkeys(word.lower() for word in WORD.findall(query)))
    if not words:
        raise ToolError("give a query of at least one word, or the number of a message")
    found = workspace.journal.recall(words, MOST_FOUND)
    notes = [
        entry["text"] for entry in workspace.journal.notes() if any(word in entry["text"].lower() for word in words)
    ]
    lines = [f"{_head(message)}: {_around(message.text, words)}" for message in found]
    lines += [f"note: {_around(text, words)}" for text in notes[-MOST_NOTES:]]
    return "\n".join(lines) or "nothing holds any of these words"


def _head(message: Message) -> str:
    who = message.agent if message.kind in ("call", "text") else message.kind
    return f"#{message.id} step {message.step} {who}{f' {message.tool}' if message.tool else ''}"


def _around(text: str, words: list[str]) -> str:
    """Return the part of a text around the first of the words."""
    at = min((place for word in words if (place := text.lower().find(word)) >= 0), default=0)
    start = max(at - AROUND, 0)
    part = " ".join(text[start : at + AROUND].split())
    return f"{'… ' if start else ''}{part}{' …' if at + AROUND < len(text) else ''}"
