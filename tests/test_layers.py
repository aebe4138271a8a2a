"""Imports point down only, each heavy package and SQL have one home, and no file grows out of hand."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "avo"
LONGEST_FILE = 400
LONGEST_LOOP = 40

GROUND = {"types", "settings", "faults", "installation"}
STORES = {"memory", "kb_index", "scenarios"}
BELOW: dict[str, set[str]] = {
    "__init__": set(),
    "__main__": {"cli", "interrupt"},
    "interrupt": set(),
    "types": set(),
    "settings": {"types"},
    "faults": {"types"},
    "installation": set(),
    "configuration": GROUND,
    **dict.fromkeys(STORES, GROUND),
    "tools": GROUND | STORES,
    "agents": GROUND | STORES | {"tools", "configuration"},
    "evolve": GROUND | {"memory", "scenarios", "tools"},
    "run": GROUND | {"memory", "scenarios", "tools"},
    "operators": GROUND | STORES | {"tools", "agents", "evolve", "run", "configuration"},
    "mcp": GROUND | STORES | {"tools", "agents", "evolve", "run", "operators"},
    "cli": GROUND | STORES | {"tools", "agents", "evolve", "run", "configuration", "operators", "mcp", "interrupt"},
}
"""Part of the package -> the parts that it may import, itself aside."""
HOMES = {
    **dict.fromkeys(
        ("autogen_core", "autogen_agentchat", "autogen_ext", "openai", "anthropic"), ("agents/",)
    ),
    "httpx2": ("agents/", "kb_index/page.py"), "chromadb": ("kb_index/",),
    "genai_prices": ("agents/prices.py",), "git": ("memory/",), "gitdb": ("memory/",),
    "mcp": ("mcp/server.py",), "opentelemetry": ("agents/tracing.py",),
    "torch": ("tools/score/", "scenarios/"), "matplotlib": ("cli/",),
}  # fmt: skip
"""Package -> the folders that may import it; in scenarios/ only a reference.py may import torch.

httpx2 talks to models in agents/, and fetches the pages of the knowledge base in kb_index/page.py.
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


def violations(file: str, source: str) -> list[str]:
    """What is forbidden in a module, one line each."""
    part = file.split("/")[0].removesuffix(".py")
    if part not in BELOW:
        return [f"{file}: '{part}' belongs to no layer"]
    problems = []
    for line, name in imported(file, ast.parse(source)):
        root, _, rest = name.partition(".")
        other = rest.partition(".")[0]
        if root == "avo" and other not in BELOW[part] | {part, "", "__version__"}:
            problems.append(f"{file}:{line}: {part} imports avo.{other}")
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


def test_the_loop_is_readable_in_one_screen() -> None:
    tree = ast.parse((PACKAGE / "evolve.py").read_text())
    loop = next(node for node in tree.body if isinstance(node, ast.AsyncFunctionDef) and node.name == "evolve")
    assert loop.end_lineno is not None
    assert loop.end_lineno - loop.lineno + 1 <= LONGEST_LOOP


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("memory/journal.py", "from avo.tools.bench import Bench"),
        ("memory/journal.py", "from avo.scenarios.loader import load"),
        ("memory/journal.py", "def f():\n    import avo.cli.run"),
        ("memory/journal.py", "from ..tools import bench"),
        ("memory/journal.py", "from avo import kb_index"),
        ("tools/files.py", "if TYPE_CHECKING:\n    from avo.agents.team import Team"),
        ("tools/files.py", "import importlib\nimportlib.import_module('avo.agents.team')"),
        ("agents/team.py", "from avo.evolve import Limits"),
        ("evolve.py", "from avo.agents.team import Team"),
        ("evolve.py", "from avo.run import open_run"),
        ("run.py", "from avo.cli.options import Target"),
        ("types.py", "from avo.settings import SCENARIOS"),
        ("tools/files.py", "import autogen_core"),
        ("evolve.py", "from autogen_agentchat.base import Response"),
        ("memory/journal.py", "import chromadb"),
        ("tools/bench.py", "from git import Repo"),
        ("tools/bench.py", "import torch"),
        ("scenarios/loader.py", "import torch.nn"),
        ("operators/session.py", "from avo.cli.options import Target"),
        ("operators/external.py", "from avo.mcp.desk import Desk"),
        ("mcp/server.py", "def f():\n    from avo.cli.options import printable"),
        ("mcp/desk.py", "import mcp"),
        ("cli/mcp.py", "from mcp import McpError"),
        ("evolve.py", "from avo.operators.caps import Caps"),
        ("plugins/new.py", ""),
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
        ("agents/team.py", "import autogen_core\nfrom avo.tools.bench import Bench\nfrom .worker import Worker"),
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
