"""Files on the main path of `avo run`: python benchmarks/main_path.py

Plays one real step of the tests' own scenario with the tuner, and looks at the call stack whenever one of the things
happens for which a run exists: a message is kept, the model is asked, a candidate is launched, its verdict is
journalled, a version is committed, a step ends. Every file of the project on one of these stacks is on the main path.
Prints one JSON line; `called` counts the files of which any function was called in that step.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
import threading
from pathlib import Path
from types import FrameType

import avo.cli
import avo.evolve

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("agents", "tools", "memory", "kernels", "kb_index", "scenarios", "src")
LANDMARKS = {
    "Conversation.add_message": "a message is kept",
    "Tuner.create": "the model is asked",
    "LoadedOnCpu.launch": "a candidate is launched",
    "Trials.add_attempt": "its verdict is journalled",
    "Lineage.commit": "a version is committed",
    "Journal.close_step": "a step ends",
}
"""Function -> what it does."""


class Trace:
    """The files that took part."""

    def __init__(self) -> None:
        self.stacks: dict[str, set[str]] = {}
        """What happened -> files on the call stack."""
        self.called: set[str] = set()
        self._own: dict[str, str] = {}

    def __call__(self, frame: FrameType, event: str, _argument: object) -> None:
        """Look at one event, as sys.setprofile gives it."""
        if event != "call" or not (file := self._file(frame)):
            return
        self.called.add(file)
        if told := LANDMARKS.get(frame.f_code.co_qualname):
            above: FrameType | None = frame
            while above:
                self.stacks.setdefault(told, set()).add(self._file(above))
                above = above.f_back

    def _file(self, frame: FrameType) -> str:
        """Return the file of a frame, relative to the project; empty if it is not the product's."""
        name = frame.f_code.co_filename
        if name not in self._own:
            path = Path(name).resolve()
            inside = path.is_relative_to(ROOT) and path.relative_to(ROOT).parts[0] in ROOMS
            self._own[name] = str(path.relative_to(ROOT)) if inside else ""
        return self._own[name]


def main() -> None:
    """Run one step, traced from its brief on."""
    trace, brief = Trace(), avo.evolve.brief

    async def traced(*arguments: object) -> object:
        threading.setprofile(trace)
        sys.setprofile(trace)
        return await brief(*arguments)  # type: ignore[arg-type]

    avo.evolve.brief = traced  # type: ignore[assignment]
    with tempfile.TemporaryDirectory() as folder:
        sys.argv = ["avo", "run", "scenario", str(ROOT / "tests" / "tiny"), "--run", f"{folder}/run", "--steps", "1"]
        with contextlib.suppress(SystemExit), contextlib.redirect_stdout(sys.stderr):
            avo.cli.main()
        sys.setprofile(None)
    lacking = set(LANDMARKS.values()) - trace.stacks.keys()
    assert not lacking, f"did not happen: {', '.join(lacking)}"
    path = sorted(set().union(*trace.stacks.values()) - {""})
    by_stack = {told: len(files - {""}) for told, files in trace.stacks.items()}
    print(json.dumps({"main_path": len(path), "called": len(trace.called), "by_stack": by_stack, "files": path}))


if __name__ == "__main__":
    main()
