"""Locations of files on this machine, and the environment of child processes."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from avo.types import Missing

PACKAGE = Path(__file__).resolve().parent
"""The import package: src/avo in a checkout, site-packages/avo in an install."""

SCENARIOS = PACKAGE / "scenarios"
KERNELS = PACKAGE / "kernels"

NVCC_ENVIRONMENT = ("NVCC_CCBIN", "NVCC_PREPEND_FLAGS", "NVCC_APPEND_FLAGS")
"""Variables by which a user gives nvcc its host compiler and further options."""
CHILD_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TZ", *NVCC_ENVIRONMENT)
"""The only variables that child processes inherit: none holds a key."""
DRIVERS_ENVIRONMENT = ("LD_LIBRARY_PATH",)
"""Further variables for children that use a GPU: the location of the driver's libraries."""


def child_environment(scratch: Path, gpu: str = "") -> dict[str, str]:
    """Return the environment of compilers, candidates and shells.

    scratch: HOME and TMPDIR of the child. gpu: identity of the only GPU that it sees; empty for none.
    """
    inherited = CHILD_ENVIRONMENT + (DRIVERS_ENVIRONMENT if gpu else ())
    kept = {name: os.environ[name] for name in inherited if name in os.environ}
    return kept | {"HOME": str(scratch), "TMPDIR": str(scratch)} | ({"CUDA_VISIBLE_DEVICES": gpu} if gpu else {})


def _secrets() -> dict[str, str]:
    """Return the variables that may hold keys."""
    words = ("KEY", "TOKEN", "SECRET", "PASSWORD")
    return {name: value for name, value in os.environ.items() if any(word in name.upper() for word in words)}


def without_secrets(text: str) -> str:
    """Return the text without the values of variables that hold keys: a server may echo its requests."""
    for name, value in _secrets().items():
        if len(value) >= 8:
            text = text.replace(value, f"[{name}]")
    return text


@contextlib.contextmanager
def environment_withheld(*shown: str) -> Iterator[None]:
    """Leave only the variables that children inherit, and those `shown`, for the block: a library starts programs."""
    withheld = {name: os.environ[name] for name in os.environ if name not in (*CHILD_ENVIRONMENT, *shown)}
    for name in withheld:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(withheld)


def printable(text: str) -> str:
    """Return the text without control characters, which a terminal would interpret; line ends and tabs stay."""
    return "".join(character for character in text if character.isprintable() or character in "\n\t")


def runs_folder() -> Path:
    """Return the default folder of runs: AVO_RUNS, else ./runs."""
    return Path(os.environ.get("AVO_RUNS", "runs"))


def to_disk(path: Path) -> None:
    """Wait until a file's content, or a folder's entries, are on disk. Raises OSError."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def made(folder: Path, option: str) -> Path:
    """Return the folder, created if missing. Raises Missing that names the option for another place."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Missing(f"{folder} cannot be made ({error.strerror}): name another place with {option}") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise Missing(f"{folder} cannot be written to: name another place with {option}")
    return folder


def cache_folder() -> Path:
    """Return the cache folder, created if missing. Raises Missing if it cannot be."""
    return made(cache_place(), "AVO_CACHE")


def cache_place() -> Path:
    """Return AVO_CACHE, else avo/ in the user's cache folder; it may not exist yet. Raises Missing without a home."""
    named = os.environ.get("AVO_CACHE")
    if named:
        return Path(named).resolve()
    home = user_folder("XDG_CACHE_HOME", ".cache")
    if home is None:
        raise Missing("there is no home folder for a cache: set HOME, or AVO_CACHE to a folder")
    return (home / "avo").resolve()


def user_folder(variable: str, name: str) -> Path | None:
    """Return a folder of the user, by its variable or in the home folder; None without a home."""
    try:
        found = Path(os.environ.get(variable) or f"~/{name}").expanduser()
    except RuntimeError:
        return None
    return found if found.is_absolute() else None


def kb_folder() -> Path:
    """Return the knowledge base's folder: AVO_KB, else kb/ in the cache folder; `current` in it is the store in use."""
    named = os.environ.get("AVO_KB")
    return Path(named).expanduser().resolve() if named else cache_place() / "kb"


def unsafe_runner() -> bool:
    """Return True if candidates may run without a system call filter where there is none: AVO_UNSAFE_RUNNER=1."""
    return os.environ.get("AVO_UNSAFE_RUNNER", "").lower() in ("1", "true", "yes", "on")


def device_lock(device: str) -> Path:
    """Return the file that every process of this machine locks around measurements on a device."""
    # Under TMPDIR: tests beside a long `avo run` with the same one wait for its lease of the CPU.
    return Path(tempfile.gettempdir()) / f"avo-{device}.lock"
