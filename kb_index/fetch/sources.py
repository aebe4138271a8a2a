"""Parser of sources.toml, the list of the knowledge base's sources; every mistake is one line with file and key."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from avo.types import AvoError

SHIPPED = Path(__file__).resolve().parents[1] / "sources.toml"
"""The list of sources that comes with avo."""

Parser = Literal["python", "cuda", "ptx-header", "ops", "markdown", "rst", "html", "pdf", "text"]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Package = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$")]
Version = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+!_-]*$")]
Ref = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$")]
WebAddress = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/@]+/\S*$")]
Repository = Annotated[str, StringConstraints(pattern=r"^(https?://[^\s/@]+/|file:///)\S+$")]
"""Address of a repository, without a password: git has credential helpers for that."""
Pattern = Annotated[str, StringConstraints(min_length=1)]


class Strict(BaseModel):
    """A table of sources.toml: unknown keys are errors, values are immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _Source(Strict):
    """Fields common to all sources."""

    name: Name
    tier: Literal["core", "extra"] = "core"
    """core is built by default, extra when it is asked for by name."""
    licence: str = "unknown"
    """Shown with whatever is read from it."""
    about: str = ""
    """One line: what it is good for."""
    optional: bool = False
    """Whether a build without it is whole."""
    include: tuple[Pattern, ...] = ("**/*",)
    """Globs over the paths below `root`: * within a folder, ** over folders."""
    exclude: tuple[Pattern, ...] = ()
    root: str = ""
    """Folder that the paths start below; what lies beside it is left out."""
    parser: Parser | None = None
    """Which chunker reads its files; by their endings unless it is given."""

    @property
    def reference(self) -> str:
        """Short description of its origin."""
        raise NotImplementedError


class Pypi(_Source):
    """A wheel: downloaded and read, never installed or imported."""

    type: Literal["pypi"]
    package: Package
    version: Version

    @property
    def reference(self) -> str:
        """Package and version."""
        return f"{self.package}=={self.version}"


class Dist(_Source):
    """A package installed in this Python; its files are read, never imported."""

    type: Literal["dist"]
    package: Package

    @property
    def reference(self) -> str:
        """The package's name."""
        return f"{self.package} as installed"


class Git(_Source):
    """One commit of a repository."""

    type: Literal["git"]
    url: Repository
    ref: Ref
    """A commit (40 hex digits), or a tag or branch, which `avo kb update` asks for again."""

    @property
    def reference(self) -> str:
        """Address and abbreviated commit, tag or branch."""
        return f"{self.url}@{self.ref[:12]}"


class Crawl(Strict):
    """Limits on following links below the folder of the first page."""

    max_pages: Annotated[int, Field(ge=1, le=2000)] = 200
    max_bytes: Annotated[int, Field(ge=1)] = 64 << 20


class Url(_Source):
    """A page; with `crawl`, also the pages below its folder that it links to."""

    type: Literal["url"]
    url: WebAddress
    crawl: Crawl | None = None

    @property
    def reference(self) -> str:
        """The address."""
        return self.url


class Dir(_Source):
    """A folder of this machine."""

    type: Literal["dir"]
    path: Path
    """Relative to the file that names it; ~ is the home folder."""

    @property
    def reference(self) -> str:
        """The path."""
        return str(self.path)


class CudaToolkit(_Source):
    """The CUDA toolkit at $CUDA_HOME, $CUDA_PATH, beside nvcc, or in /usr/local/cuda."""

    type: Literal["cuda_toolkit"]

    @property
    def reference(self) -> str:
        """A fixed description."""
        return "the CUDA toolkit of this machine"


Source = Pypi | Dist | Git | Url | Dir | CudaToolkit
_ANY: TypeAdapter[Source] = TypeAdapter(Annotated[Source, Field(discriminator="type")])
_BY_TYPE: dict[str, type[_Source]] = {
    get_args(model.model_fields["type"].annotation)[0]: model for model in get_args(Source)
}


def load(extra: Path | None = None) -> tuple[Source, ...]:
    """Return the shipped sources, then those of `extra` or of AVO_KB_SOURCES, which replace ones of the same name.

    Raises AvoError.
    """
    own = extra or (Path(os.environ["AVO_KB_SOURCES"]) if os.environ.get("AVO_KB_SOURCES") else None)
    found = {source.name: source for source in read(SHIPPED)}
    if own:
        found |= {source.name: source for source in read(own.expanduser())}
    return tuple(found.values())


def read(file: Path) -> tuple[Source, ...]:
    """Return the [[source]] tables of one file. Raises AvoError."""
    try:
        data = tomllib.loads(file.read_bytes().decode())
    except FileNotFoundError as error:
        raise AvoError(f"{file}: no such file") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise AvoError(f"{file}: {error}") from error
    if unknown := [key for key in data if key != "source"]:
        raise AvoError(f"{file}: unknown key '{unknown[0]}'; the file holds [[source]] tables only")
    tables = data.get("source", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise AvoError(f"{file}: write [[source]], with two brackets")
    found = [_source(file, position, table) for position, table in enumerate(tables, 1)]
    names = [source.name for source in found]
    if twice := {name for name in names if names.count(name) > 1}:
        raise AvoError(f"{file}: two sources are named '{min(twice)}'")
    return tuple(found)


def choose(sources: Iterable[Source], names: Iterable[str]) -> tuple[Source, ...]:
    """Return the sources with these names, in the order of the list. Raises AvoError for an unknown name."""
    known, wanted = {source.name: source for source in sources}, tuple(names)
    for name in wanted:
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean '{close[0]}'? " if close else ""
            raise AvoError(f"no source '{name}'; {hint}there are: {', '.join(known)}")
    return tuple(source for name, source in known.items() if name in wanted)


def _source(file: Path, position: int, table: dict[str, Any]) -> Source:
    where = f"{file}: source '{table['name']}'" if isinstance(table.get("name"), str) else f"{file}: source {position}"
    try:
        found = _ANY.validate_python(table)
    except ValidationError as error:
        problems = error.errors()
        problem = next((entry for entry in problems if entry["type"] == "extra_forbidden"), problems[0])
        raise AvoError(f"{where}: {_line(problem, str(table.get('type', '')))}") from error
    if isinstance(found, Dir):
        return found.model_copy(update={"path": file.resolve().parent / found.path.expanduser()})
    return found


def _line(problem: ErrorDetails, kind: str) -> str:
    if problem["type"].startswith("union_tag"):
        return f"type: one of {', '.join(_BY_TYPE)}"
    keys = [str(part) for part in problem["loc"][1:]]
    where = ".".join(keys)
    if problem["type"] == "extra_forbidden":
        valid = [*(Crawl if keys[0] == "crawl" and len(keys) > 1 else _BY_TYPE[kind]).model_fields]
        close = difflib.get_close_matches(keys[-1], valid, 1)
        hint = f"did you mean '{close[0]}'? " if close else ""
        return f"unknown key '{where}'; {hint}valid keys: {', '.join(valid)}"
    return f"{where}: {problem['msg']}"
