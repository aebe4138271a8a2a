"""Imports point down only, each heavy package and SQL have one home, and no file grows out of hand."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "avo"
LONGEST_FILE = 400
LONGEST_LOOP = 40
MOST_FILES = 19

GROUND = {"types", "settings", "faults", "installation", "spans"}
KB = {"kb_index", "kb_index.chunkers", "kb_index.fetch", "kb_index.index"}
JUDGE = {"tools.build", "tools.devices", "tools.launch", "tools.reference", "tools.score"}
TOOLS = JUDGE | {"tools", "tools.instruments", "tools.bench", "tools.audit"}
AGENTS = {"agents", "agents.models", "agents.tuner"}
MEMORY = {"memory", "memory.journal"}
BELOW: dict[str, set[str]] = {
    "": set(),
    "types": set(),
    "settings": {"types"},
    "faults": {"types"},
    "spans": set(),
    "installation": set(),
    "interrupt": set(),
    "__main__": {"cli", "interrupt"},
    "configuration": GROUND,
    "memory.journal": GROUND,
    "memory": GROUND | {"memory.journal"},
    "kb_index.index": GROUND,
    "kb_index.chunkers": GROUND | {"kb_index.index"},
    "kb_index.fetch": GROUND | {"kb_index.chunkers", "kb_index.index"},
    "kb_index": GROUND | (KB - {"kb_index"}),
    "scenarios": GROUND,
    "sandbox": GROUND,
    "tools.devices": GROUND | {"sandbox", "scenarios"},
    "tools.build": GROUND | {"sandbox", "scenarios", "tools.devices"},
    "tools.launch": GROUND | {"sandbox", "scenarios", "tools.build", "tools.devices"},
    "tools.reference": GROUND | {"scenarios", "tools.launch"},
    "tools.score": GROUND | {"sandbox", "scenarios"} | (JUDGE - {"tools.score"}),
    "tools.instruments": GROUND | {"sandbox", "scenarios"} | (JUDGE - {"tools.score"}),
    "tools.bench": GROUND | {"scenarios"} | JUDGE,
    "tools.audit": GROUND | {"scenarios"} | JUDGE,
    "tools": GROUND | MEMORY | KB | (TOOLS - {"tools"}) | {"sandbox", "scenarios"},
    "agents.models": GROUND | {"configuration", "sandbox", "tools"},
    "agents.tuner": GROUND | {"agents.models", "tools", "tools.build"},
    "agents": GROUND | (AGENTS - {"agents"}) | MEMORY | {"configuration", "sandbox", "scenarios", "tools"},
    "evolve": GROUND | MEMORY | {"scenarios", "tools", "tools.build"},
    "run": GROUND | MEMORY | {"scenarios", "tools", "tools.build", "tools.score"},
    "operators": GROUND | MEMORY | TOOLS | AGENTS | {"configuration", "sandbox", "scenarios", "evolve", "run"},
    "mcp": GROUND | MEMORY | TOOLS | {"sandbox", "scenarios", "run", "evolve", "operators"},
    "cli": GROUND | MEMORY | KB | TOOLS | AGENTS
    | {"configuration", "sandbox", "scenarios", "evolve", "run", "operators", "mcp", "interrupt"},
}  # fmt: skip
"""Room, or module beside them -> what it may import, itself aside."""
HOMES = {
    **dict.fromkeys(
        ("autogen_core", "autogen_agentchat", "autogen_ext", "openai", "anthropic"), ("agents/",)
    ),
    "httpx2": ("agents/", "kb_index/fetch/page.py"), "chromadb": ("kb_index/",),
    "genai_prices": ("agents/models/prices.py",), "git": ("memory/",), "gitdb": ("memory/",),
    "mcp": ("mcp/server.py",), "opentelemetry": ("agents/tracing.py",),
    "torch": (
        "tools/audit/", "tools/bench/", "tools/devices/", "tools/instruments/", "tools/launch/", "tools/reference/",
        "tools/score/", "scenarios/",
    ), "matplotlib": ("cli/",),
}  # fmt: skip
"""Package -> the folders that may import it; in scenarios/ only a reference.py may import torch.

httpx2 talks to models in agents/, and fetches the pages of the knowledge base in kb_index/fetch/page.py.
"""

SQL = re.compile(r"\s*(SELECT \S.* FROM |INSERT INTO |UPDATE \w+ SET |DELETE FROM |PRAGMA \w)")
STORES_OF_SQL = ("memory/", "kb_index/")
"""Who may write SQL: the journal, and the knowledge base of its own store."""


def files() -> list[str]:
    """Every module of the package, relative to it; the links to agents/, tools/ … are followed."""
    folders = [PACKAGE, *(path for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__")]
    found = {*PACKAGE.glob("*.py"), *(path for folder in folders[1:] for path in folder.rglob("*.py"))}
    return sorted(path.relative_to(PACKAGE).as_posix() for path in found)


def imported(file: str, tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every import, wherever it stands, also `from . import x` and import_module("x")."""
    package = ["avo", *file.split("/")[:-1]]
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, name.name) for name in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                start = package[: len(package) - level + 1] if level else []
                base = ".".join([*start, *([module] if module else [])])
                yield from ((node.lineno, f"{base}.{name.name}") for name in names)
            case ast.Call(func=ast.Name(id=called) | ast.Attribute(attr=called), args=[ast.Constant(value=str() as x)]):
                if called in ("import_module", "__import__"):
                    yield node.lineno, x


def room(name: str) -> str:
    """The longest part of a dotted name below avo that is a room."""
    parts = name.split(".")
    return next((known for end in (2, 1) if (known := ".".join(parts[:end])) in BELOW), "")


def violations(file: str, source: str) -> list[str]:
    """What is forbidden in a module, one line each."""
    part = room(file.removesuffix(".py").replace("/", "."))
    if not part and file != "__init__.py":
        return [f"{file}: belongs to no room"]
    problems = []
    for line, name in imported(file, ast.parse(source)):
        root, _, rest = name.partition(".")
        other = room(rest)
        if root == "avo" and rest not in ("", "__version__") and other not in BELOW[part] | {part}:
            problems.append(f"{file}:{line}: {part} imports avo.{rest}")
        homes = HOMES.get(root, ("",))
        at_home = file.startswith(homes) and (not file.startswith("scenarios/") or file.endswith("/reference.py"))
        if root in HOMES and not at_home:
            problems.append(f"{file}:{line}: {root} is imported in {' and '.join(homes)} only")
    return problems


def queries(source: str) -> list[int]:
    """Lines that give SQL to a database, or hold it."""
    found: list[int] = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Attribute(attr="execute" | "executemany" | "executescript")):
                found.append(node.lineno)
            case ast.Constant(value=str() as text) if SQL.match(text):
                found.append(node.lineno)
    return found


def test_rooms_form_no_circle() -> None:
    TopologicalSorter(BELOW).prepare()


def test_a_room_holds_few_files() -> None:
    for part in BELOW.keys() - {"cli"}:
        held = [file for file in files() if file.rpartition("/")[0].replace("/", ".") == part]
        assert len(held) <= MOST_FILES, part


def test_the_walk_reaches_every_folder() -> None:
    parts = {"cli", "mcp", "operators", "agents", "tools", "memory", "kb_index", "scenarios"}
    assert {file.split("/")[0] for file in files()} >= parts
    assert "tools/score/judge.py" in files()


@pytest.mark.parametrize("file", files())
def test_imports_point_down_and_heavy_packages_stay_at_home(file: str) -> None:
    assert not violations(file, (PACKAGE / file).read_text())


@pytest.mark.parametrize("file", files())
def test_a_module_is_short_and_says_what_it_is(file: str) -> None:
    source = (PACKAGE / file).read_text()
    assert len(source.splitlines()) <= LONGEST_FILE
    assert ast.get_docstring(ast.parse(source)), "no docstring"


@pytest.mark.parametrize("file", [file for file in files() if not file.startswith(STORES_OF_SQL)])
def test_nobody_else_writes_sql(file: str) -> None:
    assert not queries((PACKAGE / file).read_text())


@pytest.mark.parametrize("source", ["db.execute(query)", "x = 'SELECT tree FROM attempts'", "f('DELETE FROM x')"])
def test_sql_is_seen(source: str) -> None:
    assert queries(source)


def test_every_arrow_that_is_not_listed_is_refused_and_every_other_allowed() -> None:
    rooms = BELOW.keys() - {""}
    for part in rooms:
        file = part.replace(".", "/") + ("/a_module.py" if (PACKAGE / part.replace(".", "/")).is_dir() else ".py")
        refused = {other for other in rooms if violations(file, f"from avo.{other} import something")}
        assert refused == rooms - BELOW[part] - {part}, part


def test_the_loop_is_readable_in_one_screen() -> None:
    tree = ast.parse((PACKAGE / "evolve.py").read_text())
    loop = next(node for node in tree.body if isinstance(node, ast.AsyncFunctionDef) and node.name == "evolve")
    assert loop.end_lineno is not None
    assert loop.end_lineno - loop.lineno + 1 <= LONGEST_LOOP


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("memory/journal/journal.py", "from avo.tools.workspace import Workspace"),
        ("memory/journal/journal.py", "from avo.scenarios.loader import load"),
        ("memory/journal/journal.py", "def f():\n    import avo.cli.run"),
        ("memory/journal/journal.py", "from ..tools import workspace"),
        ("memory/journal/journal.py", "from avo import kb_index"),
        ("tools/files.py", "if TYPE_CHECKING:\n    from avo.agents.team import Team"),
        ("tools/files.py", "import importlib\nimportlib.import_module('avo.agents.team')"),
        ("agents/team.py", "from avo.evolve import Limits"),
        ("evolve.py", "from avo.agents.team import Team"),
        ("evolve.py", "from avo.run import open_run"),
        ("run.py", "from avo.cli.options import Target"),
        ("types.py", "from avo.settings import SCENARIOS"),
        ("tools/files.py", "import autogen_core"),
        ("evolve.py", "from autogen_agentchat.base import Response"),
        ("memory/journal/journal.py", "import chromadb"),
        ("tools/workspace.py", "from git import Repo"),
        ("tools/workspace.py", "import torch"),
        ("scenarios/loader.py", "import torch.nn"),
        ("operators/session.py", "from avo.cli.options import Target"),
        ("operators/external.py", "from avo.mcp.desk import Desk"),
        ("mcp/server.py", "def f():\n    from avo.cli.options import printable"),
        ("mcp/desk.py", "import mcp"),
        ("cli/mcp.py", "from mcp import McpError"),
        ("evolve.py", "from avo.operators.caps import Caps"),
        ("plugins/new.py", ""),
        ("memory/journal/ledger.py", "from avo.memory.lineage import Lineage"),
        ("tools/build/builder.py", "from avo.tools.score.judge import Judge"),
        ("tools/launch/arena.py", "from avo.tools.reference.check import expected"),
        ("tools/score/judge.py", "from avo.tools.commit import commit"),
        ("agents/models/sse.py", "from avo.agents.team import Team"),
        ("kb_index/index/store.py", "from avo.kb_index.search import search"),
        ("sandbox/process.py", "from avo.tools.workspace import Workspace"),
    ],
)  # fmt: skip
def test_a_forbidden_import_is_refused(file: str, source: str) -> None:
    assert violations(file, source)


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("cli/run.py", "from avo.agents.team import Team\nfrom avo.mcp.server import serve"),
        ("mcp/desk.py", "from avo.operators.external import begin"),
        ("operators/session.py", "from avo.agents.team import Team\nfrom avo.evolve import evolve"),
        ("agents/team.py", "import autogen_core\nfrom avo.tools.workspace import Bench\nfrom .worker import Worker"),
        ("scenarios/new/reference.py", "import torch"),
        ("tools/score/judge.py", "import torch\nfrom avo.scenarios.loader import load"),
    ],
)
def test_a_legal_import_is_not(file: str, source: str) -> None:
    assert not violations(file, source)


def late_imports(source: str) -> list[tuple[int, int]]:
    """First and last line of each import in a function; of neighbours together."""
    found: list[tuple[int, int]] = []
    functions = (
        node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    lines = {
        node.lineno: node.end_lineno or node.lineno
        for function in functions
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    for first, last in sorted(lines.items()):
        if found and found[-1][1] == first - 1:
            found[-1] = found[-1][0], last
        else:
            found.append((first, last))
    return found


@pytest.mark.parametrize("file", [file for file in files() if file.startswith("cli/")])
def test_a_command_has_its_imports_at_the_top_or_a_comment_says_why_not(file: str) -> None:
    source = (PACKAGE / file).read_text()
    lines = ["", *source.splitlines()]
    unexplained = [first for first, _ in late_imports(source) if "#" not in lines[first] + lines[first - 1]]
    assert not unexplained


def test_few_imports_of_the_command_line_are_late() -> None:
    commands = [file for file in files() if file.startswith("cli/")]
    assert sum(len(late_imports((PACKAGE / file).read_text())) for file in commands) <= 13
