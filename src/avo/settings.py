"""Where things lie on this machine, and the limits that hold everywhere."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from avo.types import Missing

PACKAGE = Path(__file__).resolve().parent
"""The import package: src/avo in a checkout, site-packages/avo in an install."""

SCENARIOS = PACKAGE / "scenarios"
KERNELS = PACKAGE / "kernels"

NVCC_ENVIRONMENT = ("NVCC_CCBIN", "NVCC_PREPEND_FLAGS", "NVCC_APPEND_FLAGS")
"""How a user tells nvcc its host compiler, and options for every call."""
CHILD_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TZ", *NVCC_ENVIRONMENT)
"""The only variables a child process inherits: no key ever does."""
DRIVERS_ENVIRONMENT = ("LD_LIBRARY_PATH",)
"""And those of a child that uses a GPU: where the driver's libraries may lie."""


def child_environment(scratch: Path, gpu: str = "") -> dict[str, str]:
    """The environment of every compiler, candidate and shell. `gpu`: identity of the only one that the child sees."""
    inherited = CHILD_ENVIRONMENT + (DRIVERS_ENVIRONMENT if gpu else ())
    kept = {name: os.environ[name] for name in inherited if name in os.environ}
    return kept | {"HOME": str(scratch), "TMPDIR": str(scratch)} | ({"CUDA_VISIBLE_DEVICES": gpu} if gpu else {})


def without_secrets(text: str) -> str:
    """The text without the values of variables that hold keys: a server may echo what it was sent."""
    for name, value in os.environ.items():
        if len(value) >= 8 and any(word in name.upper() for word in ("KEY", "TOKEN", "SECRET", "PASSWORD")):
            text = text.replace(value, f"[{name}]")
    return text


def printable(text: str) -> str:
    """Without the control characters that a terminal would obey; line ends and tabs stay."""
    return "".join(character for character in text if character.isprintable() or character in "\n\t")


def runs_folder() -> Path:
    """Where runs go unless --run says otherwise: AVO_RUNS, else ./runs."""
    return Path(os.environ.get("AVO_RUNS", "runs"))


def made(folder: Path, option: str) -> Path:
    """The folder, which is made where it is not there. Raises Missing that names the option by which to move it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Missing(f"{folder} cannot be made ({error.strerror}): name another place with {option}") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise Missing(f"{folder} cannot be written to: name another place with {option}")
    return folder


def cache_folder() -> Path:
    """Where what can be made again is kept; it is there. Raises Missing when it can be in no such place."""
    return made(cache_place(), "AVO_CACHE")


def cache_place() -> Path:
    """AVO_CACHE, else avo/ in the user's cache folder; it may not be there yet. Raises Missing without a home."""
    named = os.environ.get("AVO_CACHE")
    if named:
        return Path(named).resolve()
    home = user_folder("XDG_CACHE_HOME", ".cache")
    if home is None:
        raise Missing("there is no home folder for a cache: set HOME, or AVO_CACHE to a folder")
    return (home / "avo").resolve()


def user_folder(variable: str, name: str) -> Path | None:
    """A folder of the user's by its variable, else in the home folder; None without one."""
    try:
        found = Path(os.environ.get(variable) or f"~/{name}").expanduser()
    except RuntimeError:
        return None
    return found if found.is_absolute() else None


def kb_folder() -> Path:
    """Where the knowledge base lies: AVO_KB, else kb/ in the cache folder; `current` in it is the store in use."""
    named = os.environ.get("AVO_KB")
    return Path(named).expanduser().resolve() if named else cache_place() / "kb"


def unsafe_runner() -> bool:
    """Whether candidates may run where this system grants no filter of system calls: AVO_UNSAFE_RUNNER=1."""
    return os.environ.get("AVO_UNSAFE_RUNNER", "").lower() in ("1", "true", "yes", "on")


def device_lock(device: str) -> Path:
    """The file that is locked round every measurement on a device, by every process of this machine."""
    # Under TMPDIR: tests beside a long `avo run` with the same one wait for its lease of the CPU.
    return Path(tempfile.gettempdir()) / f"avo-{device}.lock"
