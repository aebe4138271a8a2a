"""The profile of a CPU candidate: perf's samples mapped to objdump's listing, function by function."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from avo.sandbox.confine import Policy
from avo.sandbox.process import SYSTEM_FOLDERS, run
from avo.tools.build.assembly import ORDER, WIDTHS, Function, Instruction, functions, short
from avo.tools.devices.roofline import processor
from avo.tools.instruments.harness import source_line
from avo.tools.instruments.perf import Samples, Watched

LARGEST_LISTING_SECONDS = 60.0
"""Seconds that objdump may take."""
NOT_ITS_OWN = ("deregister_tm_clones", "register_tm_clones", "__do_global_dtors_aux", "frame_dummy", "_init", "_fini")
"""Functions that the compiler's start files add to every library."""
TEXT = re.compile(r"^\s*\d+ \.text +\w+ +([0-9a-f]+) +[0-9a-f]+ +([0-9a-f]+)", re.MULTILINE)
"""objdump's line on the section .text: its address and its offset in the file."""
MOST = 8
"""Maximum number of rows of a table."""


@dataclass(frozen=True)
class Code:
    """A candidate's machine code, with the number of samples at each address."""

    functions: tuple[Function, ...]
    """By number of samples, then by size, both descending."""
    hits: Mapping[int, int]
    """Address -> samples; empty if nothing was sampled."""
    samples: Samples

    def share(self, instructions: Iterable[Instruction]) -> float:
        """Return the part of all samples that fell on these instructions, 0 to 1."""
        return sum(self.hits.get(i.address, 0) for i in instructions) / max(self.samples.total, 1)

    def by_group(self) -> dict[str, float]:
        """Return the part of the time spent in each group of instructions, 0 to 1."""
        every = [i for function in self.functions for i in function.body if i.address in self.hits]
        return {group: self.share(i for i in every if group in i.groups) for group in ORDER}

    def by_line(self) -> dict[str, float]:
        """Return the part of the time spent on each source line, 0 to 1, descending."""
        lines: dict[str, float] = {}
        for function in self.functions:
            for i in function.body:
                if i.line and i.address in self.hits:
                    lines[i.line] = lines.get(i.line, 0.0) + self.hits[i.address] / self.samples.total
        return dict(sorted(lines.items(), key=lambda pair: -pair[1]))


def disassembled(library: Path, samples: Samples) -> Code:
    """Disassemble the library with objdump, in a sandbox; return its code with the samples."""
    policy = Policy(read=(*SYSTEM_FOLDERS, str(library.parent)), file_bytes=1 << 20)
    command = ["objdump", "-d", "-l", "-C", "--no-show-raw-insn", "-j", ".text", library.name]
    listed = run(command, library.parent, LARGEST_LISTING_SECONDS, policy).output
    headers = run(["objdump", "-h", library.name], library.parent, LARGEST_LISTING_SECONDS, policy).output
    return laid_over(functions(listed), headers, samples)


def laid_over(found: tuple[Function, ...], headers: str, samples: Samples) -> Code:
    """Return the code with the samples, which are at offsets in the file, moved to the listing's addresses.

    headers: output of `objdump -h`.
    """
    text = TEXT.search(headers)
    shift = int(text[1], 16) - int(text[2], 16) if text else 0
    hits = {offset + shift: count for offset, count in samples.offsets.items()}
    own = [function for function in found if function.body and function.name not in NOT_ITS_OWN]
    seen = {id(f): sum(hits.get(i.address, 0) for i in f.body) for f in own}
    return Code(tuple(sorted(own, key=lambda f: (-seen[id(f)], -len(f.body)))), hits, samples)


def facts(code: Code, watched: Watched | None, why: str) -> dict[str, object]:
    """Return all numbers, for --json. why: the reason if nothing was measured."""
    return {
        "unmeasured": why,
        "counters": dict(watched.counters) if watched else {},
        "samples": code.samples.total,
        "functions": [
            {"name": f.name, "share": round(code.share(f.body), 4), "calls": f.calls, "digest": dict(f.digest())}
            for f in code.functions
        ],
        "outside": {name: round(count / code.samples.total, 4) for name, count in code.samples.outside.items()},
        "groups": {name: round(part, 4) for name, part in code.by_group().items() if part},
        "lines": {line: round(part, 4) for line, part in list(code.by_line().items())[:50]},
    }


def text(code: Code, watched: Watched | None, why: str, case: str, widest: str, sources: Mapping[str, bytes]) -> str:
    """Return the report: verdict first, then counters, functions, source lines and instructions.

    why: the reason if nothing was measured. widest: the widest vectors of this processor, in words.
    """
    lines = [verdict(code, why), *([counters(watched)] if watched else [])]
    groups = code.by_group()
    if code.samples.total:
        lines[0] += f" (case {case}, {code.samples.total} samples)"
        lines.append(_width(groups, widest))
        rest = [f"{name} {part:.0%}" for name, part in groups.items() if name not in WIDTHS and part >= 0.01]
        lines.append(
            f"time by kind of instruction (one may be several): {', '.join(rest) or 'none of those told apart'}"
        )
        if stacked := groups["vector stack"]:
            lines.append(
                f"vectors moved to and from the stack (spills, or arrays that lie there): {stacked:.1%} of the time"
            )
    lines += ["", "functions:"]
    for function in code.functions[:MOST]:
        digest = ", ".join(f"{count} {name}" for name, count in function.digest().items())
        calls = f"; calls {', '.join(function.calls[:5])}" if function.calls else ""
        lines.append(f"{code.share(function.body):6.1%}  {short(function.name)}: {digest}{calls}")
    lines += [f"{n / code.samples.total:6.1%}  {name}" for name, n in list(code.samples.outside.items())[:MOST]]
    if code.samples.total:
        lines += _lines(code, sources) + _instructions(code)
    return "\n".join(lines)


def verdict(code: Code, why: str) -> str:
    """Return one line: what takes the time, or why that is unknown and which function is the largest."""
    if not code.samples.total:
        known = f"not measured: {why or 'no sample fell on the candidate'}; what follows is counted in the machine code"
        return known + (f", largest function {short(code.functions[0].name)}" if code.functions else "")
    top = [(code.share(function.body), short(function.name)) for function in code.functions]
    top += [(count / code.samples.total, name) for name, count in code.samples.outside.items()]
    return "time goes to " + ", ".join(
        f"{name} {part:.0%}" for part, name in sorted(top, reverse=True)[:3] if part >= 0.01
    )


def counters(watched: Watched) -> str:
    """Return one line with instructions per cycle, clock and misses, as far as they were counted."""
    known = watched.counters
    if not known.get("cycles"):
        return "no hardware counters here (a virtual machine, or kernel.perf_event_paranoid): no IPC, no cache misses"
    parts = [f"{known['instructions'] / known['cycles']:.2f} instructions a cycle"] if "instructions" in known else []
    if known.get("task-clock"):
        parts.append(f"{known['cycles'] / known['task-clock'] / 1e6:.2f} GHz")
    for name, of, told in (
        ("L1-dcache-load-misses", "L1-dcache-loads", "of L1 loads missed"),
        ("cache-misses", "cache-references", "of last-level cache references missed"),
        ("branch-misses", "branches", "of branches mispredicted"),
    ):
        if name in known and known.get(of):
            parts.append(f"{known[name] / known[of]:.1%} {told}")
    return ", ".join(parts)


def _width(groups: Mapping[str, float], widest: str) -> str:
    told = ", ".join(f"{name} {groups[name]:.0%}" for name in WIDTHS if groups[name] >= 0.01) or "none"
    return f"time by kind of register: {told}; this processor has {widest}"


def _lines(code: Code, sources: Mapping[str, bytes]) -> list[str]:
    shown = list(code.by_line().items())[:MOST]
    return ["", "source lines by time:"] * bool(shown) + [
        f"{part:6.1%}  {line:24} {source_line(line, sources)[:80]}" for line, part in shown
    ]


def _instructions(code: Code) -> list[str]:
    every = [(code.hits[i.address], i) for f in code.functions for i in f.body if i.address in code.hits]
    ranked = sorted(every, key=lambda pair: -pair[0])[:MOST]
    return ["", "instructions by time (the one that waits is often the one before):"] + [
        f"{count / code.samples.total:6.1%}  {i.address:#x}  {i.text[:60]:60} {i.line}" for count, i in ranked
    ]


def widest_vectors() -> str:
    """Return the widest vector instructions of this processor, in words."""
    _, flags = processor()
    for flag, name in (("avx512f", "512-bit"), ("avx2", "256-bit"), ("sse2", "128-bit")):
        if flag in flags:
            return f"{name} vectors" + (" and a bf16 dot product" if "avx512_bf16" in flags else "")
    return "no vectors that it names"
