"""Builds a candidate with AddressSanitizer or UBSan, launches it on tests, and parses their findings. CPU only."""

from __future__ import annotations

import json
import re
import secrets
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from avo.sandbox.confine import Policy
from avo.sandbox.process import DEVICES, SYSTEM_FOLDERS, Finished, follow, python_child, run
from avo.scenarios.abi import HEADER, SYMBOL, header
from avo.scenarios.loader import Case, Scenario
from avo.settings import unsafe_runner
from avo.tools.build.compilation import LARGEST_LIBRARY, most_memory
from avo.tools.build.compilers import Compiler, compiler_of
from avo.tools.build.sources import Sources, write_sources
from avo.tools.instruments.harness import Unread, inputs_on_disk, rest_of_arguments
from avo.tools.instruments.heap_runner import LAUNCHED, TENSOR
from avo.tools.instruments.sanitizer import MOST_SHOWN, Findings, save
from avo.types import Missing, one_line

OPTIONS = {
    "address": ("-fsanitize=address", "-fsanitize-recover=address"),
    "undefined": ("-fsanitize=undefined", "-fsanitize-recover=undefined"),
}
"""Tool -> options of the compiler."""
LINES = ("-g1", "-fno-omit-frame-pointer")
"""Options of the compiler that give findings source lines."""
# The widest redzone there is; the interpreter leaks by itself, and the search needs ptrace; addr2line finds lines.
SETTINGS = (
    "detect_leaks=0:halt_on_error=0:redzone=2048:allocator_may_return_null=1:verify_asan_link_order=0:color=never:"
    "symbolize=0"
)
"""Value of ASAN_OPTIONS."""
MOST_ADDRESSES = 200
"""Maximum number of addresses whose source lines are looked up."""
SECONDS = 60.0
"""Seconds for the launch of one case."""
HIDDEN = "found something, of which no more is said"
"""The text of every finding in a hidden test: a candidate could make its details reveal the shape."""
ERROR = re.compile(r"^==\d+==ERROR: AddressSanitizer: ([\w-]+)")
"""First line of a report of AddressSanitizer: kind of error."""
ACCESS = re.compile(r"^(READ|WRITE) of size (\d+) at 0x")
"""Line on the access: read or write, and its size in bytes."""
SIGNAL = re.compile(r"^==\d+==The signal is caused by a (READ|WRITE) memory access")
"""Line on an access that ended in a signal."""
FRAME = re.compile(r"^ +#\d+ 0x[0-9a-f]+ .*\(\S*/sanitized\.so\+(0x[0-9a-f]+)\)")
"""Line of a stack frame in the candidate's library: its address."""
LINE = re.compile(r"^(?:.*/)?([^/]+):(\d+)")
"""addr2line's file and line."""
PLACE = re.compile(
    r"^0x[0-9a-f]+ is located (\d+) bytes (to the right of|to the left of|after|before|inside of) \d+-byte region "
    r"\[(0x[0-9a-f]+),"
)
"""Line on the address: distance in bytes and side of a heap region, and the region's start."""
WHERE = {"to the right of": "behind", "after": "behind", "to the left of": "before"}
"""AddressSanitizer's words for a side -> ours."""
UNDEFINED = re.compile(r"^(?:\S*/)?([^/\s:]+):(\d+):\d+: runtime error: (.+)$")
"""A finding of UBSan: file, line, message."""
NO_LIBRARY = re.compile(r"^\S*ld(?:\.\w+)?: cannot find \S*(?:asan|ubsan)", re.MULTILINE)
"""The linker's message about a missing library of a sanitizer."""
INSTALL = "install the compiler's; on Debian, for g++ 12: apt-get install libasan8 libubsan1"
"""Hint how to install these libraries."""


@dataclass
class Report:
    """One finding of a sanitizer."""

    kind: str
    """Kind of error, in the sanitizer's words."""
    line: str = ""
    """The candidate's source line as file:line; empty if unknown."""
    access: str = ""
    """Read or write, and its size in bytes."""
    place: str = ""
    """Distance in bytes from the tensor that it missed."""

    def __str__(self) -> str:
        return ", ".join(filter(None, (self.kind, self.access, self.line and f"at {self.line}", self.place)))


def sanitize_on_cpu(files: Sources, scenario: Scenario, tool: str, keep: Path | None = None) -> Findings:
    """Launch every test and the smallest timed case once under `tool`, one of CPU_TOOLS; its logs go to `keep`.

    Nothing is said about a finding in a hidden test but that there is one. Raises Unread, or Missing without the tool's
    library.
    """
    compiler, started = compiler_of("cpu"), time.monotonic()
    smallest = min(scenario.timed("cpu"), key=lambda case: scenario.work_of("GB/s", case))
    found: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="avo-sanitizer-") as scratch:
        folder = Path(scratch).resolve()
        library, preloaded = _built(files, scenario, compiler, tool, folder / "build"), _preloaded(compiler, tool)
        for case in (*scenario.checked("cpu"), smallest):
            drawn = case.drawn(secrets.SystemRandom())
            done = _launched(scenario, drawn, library, preloaded, folder)
            if not case.hidden:
                save(keep, f"{tool}-{re.sub(r'[^A-Za-z0-9]+', '-', case.id)}", done.output)
            reports = list(reports_in(done.output, _lines(done.output, library, files)))
            if not reports and (done.code or LAUNCHED not in done.output):
                raise Unread(f"{tool} did not finish: {'' if case.hidden else _why(done)} (case {case.label})")
            for one in reports:
                found.setdefault(HIDDEN if case.hidden else str(one), case.label)
    told = tuple(one_line(f"{one} (case {label})", 300) for one, label in found.items())
    return Findings(tool, len(told), told[:MOST_SHOWN], time.monotonic() - started)


def reports_in(output: str, lines: Mapping[str, str]) -> Iterator[Report]:
    """Yield the findings in a sanitizer's output.

    lines: address in the library, as printed -> the candidate's source line.
    """
    tensors = {words[3]: words[2] for words in map(str.split, output.splitlines()) if " ".join(words[:2]) == TENSOR}
    report: Report | None = None
    for line in output.splitlines():
        if undefined := UNDEFINED.match(line):
            yield Report(undefined[3], f"{undefined[1]}:{undefined[2]}")
        elif error := ERROR.match(line):
            if report:
                yield report
            report = Report(error[1])
        elif report and (access := ACCESS.match(line)):
            report.access = f"{access[1]} of {access[2]} bytes"
        elif report and (signal := SIGNAL.match(line)):
            report.access = signal[1]
        elif report and not report.line and (frame := FRAME.match(line)):
            report.line = lines.get(frame[1], "")
        elif report and (place := PLACE.match(line)) and place[3] in tensors:
            report.place = f"{place[1]} bytes {WHERE.get(place[2], place[2])} {tensors[place[3]]}"
    if report:
        yield report


def _lines(output: str, library: Path, files: Sources) -> dict[str, str]:
    """Return the candidate's innermost source line for each address in its library that the output has."""
    names = {path.rpartition("/")[2] for path in files}
    addresses = [frame[1] for line in output.splitlines() if (frame := FRAME.match(line))][:MOST_ADDRESSES]
    policy = Policy(read=(*SYSTEM_FOLDERS, *DEVICES, str(library.parent)), memory=most_memory())
    command = ["addr2line", "-a", "-i", "-e", library.name, *addresses]
    found: dict[str, str] = {}
    address = ""
    for line in run(command, library.parent, 30.0, policy).output.splitlines() if addresses else ():
        if line.startswith("0x"):
            address = hex(int(line, 16))
        elif (place := LINE.match(line)) and place[1] in names:
            found.setdefault(address, f"{place[1]}:{place[2]}")
    return found


def _built(files: Sources, scenario: Scenario, compiler: Compiler, tool: str, folder: Path) -> Path:
    """Return the path of the library built with the tool. Raises Unread if it does not compile, Missing without it."""
    folder.mkdir()
    write_sources(files, folder)
    (folder / HEADER).write_text(header(scenario))
    policy = Policy(
        read=(*SYSTEM_FOLDERS, *DEVICES, *compiler.folders), write=(str(folder), *DEVICES), memory=most_memory(),
        file_bytes=LARGEST_LIBRARY, own_processes=True,
    )  # fmt: skip
    units = [f"./{name}" for name in files if name.endswith(compiler.units)]
    settings = scenario.target("cpu")
    options = [*settings.flags, *compiler.options, *LINES, *OPTIONS[tool]]
    if "clang" in compiler.version:
        options.append("-shared-libasan")
    done = run([compiler.path, *options, "-o", "sanitized.so", *units], folder, 2 * settings.compile_seconds, policy)
    if NO_LIBRARY.search(done.output):
        raise Missing(f"the {tool} sanitizer is not there: {INSTALL}")
    if done.code != 0:
        raise Unread(f"it does not compile with {OPTIONS[tool][0]}: {_why(done)}")
    return folder / "sanitized.so"


def _preloaded(compiler: Compiler, tool: str) -> str:
    """Return the library to load before the interpreter: AddressSanitizer's; "" for another tool. Raises Missing."""
    if tool != "address":
        return ""
    names = ("libclang_rt.asan.so", "libclang_rt.asan-x86_64.so", "libclang_rt.asan-aarch64.so")
    for name in names if "clang" in compiler.version else ("libasan.so",):
        found = run([compiler.path, f"-print-file-name={name}"], Path("/"), 30.0, Policy(read=("/",))).output.strip()
        if "/" in found:
            return str(Path(found).resolve())
    raise Missing(f"the {tool} sanitizer is not there: {INSTALL}")


def _launched(scenario: Scenario, case: Case, library: Path, preloaded: str, folder: Path) -> Finished:
    """Launch one case; return how that ended."""
    file, buffers = inputs_on_disk(library.with_name("inputs.bin"), scenario, case, None)
    tensors = [(tensor.name, *buffer) for tensor, buffer in zip(scenario.tensors, buffers, strict=True)]
    orders = library.with_name("orders.json")
    orders.write_text(json.dumps({
        "library": str(library), "symbol": SYMBOL, "inputs": str(file), "rest": rest_of_arguments(scenario, case),
        "tensors": tensors, "unsafe": unsafe_runner(),
    }))  # fmt: skip
    variables = [f"ASAN_OPTIONS={SETTINGS}", "UBSAN_OPTIONS=print_stacktrace=0:color=never"]
    variables += [f"LD_PRELOAD={preloaded}"] * bool(preloaded)
    command = ["/usr/bin/env", *variables, *python_child("avo.tools.instruments.heap_runner", str(orders))]
    return follow(command, folder, SECONDS)


def _why(done: Finished) -> str:
    """Return one line on why there are no findings."""
    if done.timed_out:
        return f"it took longer than {done.seconds:.0f} s"
    lines: Sequence[str] = [line.strip() for line in done.output.splitlines() if not line.startswith(TENSOR)]
    telling = [line for line in lines if "error" in line.lower() or line.startswith("heap_runner: ")]
    return one_line((telling or [*filter(None, lines), "it said nothing"])[0], 300) + f" (exit code {done.code})"
