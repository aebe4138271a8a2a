"""Words are for people and models: no program reads its own. Whoever parses text says here whose text it is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "avo"
FOLDERS = (".", "cli", "operators", "mcp", "agents", "tools")
PARSING = ("startswith", "endswith", "removeprefix", "removesuffix")
KEY = re.compile(r"[a-z][a-z0-9_.]*|[^\w\s]+|\s|\x00|:\\t|:\t")
"""What is asked for with `in` as a key or a single mark, in no sentence."""
ALLOWED = {
    "agents/models/components.py": "names of models, as providers give them",
    "agents/models/errors.py": "what providers say of a request that failed, and names of their clients' exceptions",
    "agents/models/messages.py": "JSON that the module wrote itself",
    "agents/models/prices.py": "names of models, and the files of prices of other projects",
    "agents/models/providers.py": "names of models, as providers give them",
    "agents/models/sse.py": "lines of the protocol of server-sent events",
    "agents/stagnation.py": "unified diffs, and what changes from edit to edit in a compiler's message",
    "agents/models/wire.py": "addresses, headers and bodies of HTTP",
    "cli/compare.py": "names of versions that a user types",
    "cli/group.py": "words that a user types",
    "operators/forecast.py": "names of models",
    "configuration.py": "keys and values that a user wrote",
    "faults.py": "what torch says when it gets no memory",
    "installation.py": "requirements of a package, as its metadata has them",
    "interrupt.py": "names of files of frames",
    "mcp/server.py": "addresses of resources that a client sends",
    "scenarios/discreet.py": "hides what no agent may read in any text, whoever made it",
    "tools/files.py": "paths that an agent gives, in every spelling of .git",
    "tools/build/knobs.py": "the candidate's own sources",
    "tools/recall.py": "the words of a question",
    "tools/audit/redteam.py": "candidates' headers, and whether a reason is the one that is expected",
    "tools/shell.py": "paths of files that a command left",
    "tools/audit/soundness.py": "the lines of scenario.toml's and reference.py's mistakes, and compilers' logs",
    "tools/build/sources.py": "names of files",
}
"""Module -> the text that it takes apart."""


def modules() -> list[str]:
    return sorted(
        path.relative_to(PACKAGE).as_posix() for folder in FOLDERS for path in (PACKAGE / folder).glob("*.py")
    )


def parsed(source: str) -> Iterator[tuple[int, str]]:
    """Line and kind of everything by which a program reads in a text."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names) if any(name.name == "re" for name in names):
                yield node.lineno, "import re"
            case ast.ImportFrom(module="re"):
                yield node.lineno, "import re"
            case ast.Call(func=ast.Attribute(attr=called)) if called in PARSING:
                yield node.lineno, called
            case ast.Compare(
                left=ast.Constant(value=str() as asked), ops=[ast.In() | ast.NotIn()], comparators=[within]
            ):
                if not KEY.fullmatch(asked) or (isinstance(within, ast.Call) and ast.unparse(within.func) == "str"):
                    yield node.lineno, f"{asked!r} in …"
            case ast.Compare(left=ast.JoinedStr(), ops=[ast.In() | ast.NotIn()]):
                yield node.lineno, "f'…' in …"


@pytest.mark.parametrize("file", modules())
def test_no_program_reads_what_is_written_for_people(file: str) -> None:
    found = list(parsed((PACKAGE / file).read_text()))
    assert file in ALLOWED or not found, found


@pytest.mark.parametrize("file", ALLOWED)
def test_nothing_is_allowed_that_is_not_needed(file: str) -> None:
    assert list(parsed((PACKAGE / file).read_text()))


@pytest.mark.parametrize(
    "source",
    [
        "import re", "from re import compile", "answer.text.startswith('refused')", "line.removeprefix('build: ')",
        "'web page' in str(error)", "'led to nothing: ' in content", "f'({OLDER})' in result", "'failed' in str(x)",
    ],
)  # fmt: skip
def test_reading_of_words_is_seen(source: str) -> None:
    assert list(parsed(source))


@pytest.mark.parametrize("source", ["'files' in facts", "'\\0' in path", "'://' in host", "text.partition('\\n')"])
def test_a_key_or_a_mark_is_none(source: str) -> None:
    assert not list(parsed(source))
