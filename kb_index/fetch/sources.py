"""Parser of sources.toml, the list of the knowledge base's sources; every mistake is one line with file and key."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
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


class Pypi(_Source):
    """A wheel: downloaded and read, never installed or imported."""

    type: Literal["pypi"]
    package: Package
    version: Version

    @property
    def reference(self) -> str:
        """Package and version."""
        return f"{self.package}=={self.version}"


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


class Url(_Source):
    """A page, or a PDF."""

    type: Literal["url"]
    url: WebAddress

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


Source = Pypi | Git | Url | Dir
KEYS = tuple(dict.fromkeys(key for model in get_args(Source) for key in model.model_fields))
"""The keys of all types of sources."""


class _List(Strict):
    """The whole file."""

    source: list[Annotated[Source, Field(discriminator="type")]] = []


def load(extra: Path | None = None) -> tuple[Source, ...]:
    """Return the shipped sources, then those of `extra`, which replace ones of the same name. Raises AvoError."""
    own = read(extra.expanduser()) if extra else ()
    return tuple({source.name: source for source in (*read(SHIPPED), *own)}.values())


def read(file: Path) -> tuple[Source, ...]:
    """Return the [[source]] tables of one file. Raises AvoError."""
    try:
        data = tomllib.loads(file.read_text("utf-8"))
        found = _List.model_validate(data).source
    except ValidationError as error:
        problems = error.errors()  # a misspelt key is both unknown and missing: the unknown one says more
        first = next((problem for problem in problems if problem["type"] == "extra_forbidden"), problems[0])
        raise AvoError(f"{file}: {_line(first, data)}") from error
    except (OSError, ValueError) as error:
        raise AvoError(f"{file}: {error.strerror if isinstance(error, OSError) else error}") from error
    names = [source.name for source in found]
    if twice := {name for name in names if names.count(name) > 1}:
        raise AvoError(f"{file}: two sources are named '{min(twice)}'")
    beside = file.resolve().parent
    return tuple(
        source.model_copy(update={"path": beside / source.path.expanduser()}) if isinstance(source, Dir) else source
        for source in found
    )


def choose(sources: Iterable[Source], names: Iterable[str]) -> tuple[Source, ...]:
    """Return the sources with these names, in the order of the list. Raises AvoError for an unknown name."""
    known, wanted = {source.name: source for source in sources}, tuple(names)
    if unknown := [name for name in wanted if name not in known]:
        raise AvoError(f"no source '{unknown[0]}'; there are: {', '.join(known)}")
    return tuple(source for name, source in known.items() if name in wanted)


def _line(problem: ErrorDetails, data: dict[str, Any]) -> str:
    """Return a mistake with its key, and the name or the number of its source."""
    place = [str(part) for part in problem["loc"]]
    where = ""
    if len(place) > 1:
        table = data["source"][int(place[1])]
        named = isinstance(table, dict) and "name" in table
        where = f"source '{table['name']}': " if named else f"source {int(place[1]) + 1}: "
    key = ".".join(place[3:]) or ("type" if where else place[0])
    if problem["type"] == "extra_forbidden":
        close = difflib.get_close_matches(key, KEYS, 1)
        hint = f"did you mean '{close[0]}'?" if close else f"there are: {', '.join(KEYS)}"
        return f"{where}unknown key '{key}'; {hint if where else 'the file holds [[source]] tables only'}"
    if problem["type"].startswith("union_tag"):
        return f"{where}type: one of pypi, git, url, dir"
    return f"{where}{key}: {problem['msg']}"
