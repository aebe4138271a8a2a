"""Errors in a scenario's files as one line: file and line, function and case, and the problem."""

from __future__ import annotations

import inspect
import os
import traceback
from pathlib import Path

from avo.scenarios.foreign import Changed
from avo.scenarios.layers import sources
from avo.types import ScenarioError

MOST_WORDS = 400
"""Longest text of an error that is shown, in characters."""


def raised(folder: Path, call: str, error: BaseException) -> ScenarioError:
    """Return the error of a scenario's code, with the innermost line of code in `folder` on its stack.

    call: the function and its case; empty while reference.py is imported.
    """
    words = _words(error)
    if not call and not isinstance(error, Changed):
        words = f"cannot be imported: {words}"
    return ScenarioError(" ".join(words.split()), *_place(folder, error), call)


def wrong(folder: Path, call: str, problem: str, function: object = None) -> ScenarioError:
    """Return the error for a wrong result of a function, with the line of the function's definition."""
    code = getattr(inspect.unwrap(getattr(function, "__func__", function)), "__code__", None) if function else None  # type: ignore[arg-type]
    file, line = str(folder / "reference.py"), 0
    if code is not None and _within(folder, code.co_filename):
        file, line = code.co_filename, code.co_firstlineno
    return ScenarioError(" ".join(problem.split()), file, line, call)


def _within(folder: Path, file: str) -> bool:
    return Path(os.path.realpath(file)).is_relative_to(os.path.realpath(folder))


def _place(folder: Path, error: BaseException) -> tuple[str, int]:
    """Return file and line; the line is 0 if it is not known."""
    if isinstance(error, SyntaxError) and error.filename and error.lineno and _within(folder, error.filename):
        return error.filename, error.lineno
    shared = {os.path.realpath(file) for file in sources(folder / "reference.py")}
    known: dict[str, bool] = {}
    place = str(folder / "reference.py"), 0
    for frame, line in traceback.walk_tb(error.__traceback__):
        file = frame.f_code.co_filename
        if file not in known:
            known[file] = os.path.realpath(file) in shared or _within(folder, file)
        if known[file]:
            place = file, line
    return place


def _words(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # somebody's class
        text = ""
    if isinstance(error, Changed):
        return text
    if isinstance(error, SystemExit):
        return f"it ends the program ({text})"
    if isinstance(error, SyntaxError):
        text = error.msg
    return ": ".join(filter(None, (type(error).__name__, text[:MOST_WORDS])))
