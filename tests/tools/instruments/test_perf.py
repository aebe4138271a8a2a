"""What perf prints is read, on a machine with counters and on one without."""

from __future__ import annotations

import pytest

from avo.tools.instruments.cpu_profile import counters as told
from avo.tools.instruments.perf import Samples, Watched, counters, samples

VIRTUAL = """\
# started on Sat Nov 21 13:08:20 2026

255.94;msec;task-clock:u;255941434;100.00;1.004;CPUs utilized
<not supported>;;cycles:u;0;100.00;;
<not counted>;;instructions:u;0;0.00;;
"""
REAL = """\
1500.50;msec;task-clock;1500500000;100.00;0.999;CPUs utilized
4501500000;;cycles:u;1500500000;100.00;3.000;GHz
11253750000;;instructions:u;1500500000;100.00;2.50;insn per cycle
1000;;cache-references:u;1500500000;100.00;;
250;;cache-misses:u;1500500000;100.00;25.00;of all cache refs
"""
SCRIPT = """\
PERF_RECORD_MMAP2 10711/10711: [0x7f82d8244000(0x156000) @ 0x26000 fe:00 339380 0]: r-xp /usr/lib/libc.so.6
PERF_RECORD_MMAP2 10711/10711: [0x7f82d7df9000(0x1000) @ 0x1000 fe:00 4321 0]: r-xp /builds/a1/candidate.so
     7f82d856042b _PyStaticCode_InternStrings (/usr/lib/libpython3.11.so.1.0)
     7f82d7df9660 void (anonymous namespace)::attend<unsigned short>(avo_args const*) (/builds/a1/candidate.so)
     7f82d7df9660 void (anonymous namespace)::attend<unsigned short>(avo_args const*) (/builds/a1/candidate.so)
     7f82d7df9010 avo_launch (/builds/a1/candidate.so)
     7f82d8aaa010 __expf_fma (/usr/lib/x86_64-linux-gnu/libm.so.6)
     7f82d8000000 [unknown] ([unknown])
"""


def test_events_that_are_not_counted_are_left_out() -> None:
    assert counters(VIRTUAL) == {"task-clock": 255.94}
    assert counters(REAL)["instructions"] == 11253750000
    assert counters("") == {}


def test_rates_follow_from_the_counters() -> None:
    shown = told(Watched(counters(REAL), Samples()))
    assert shown == "2.50 instructions a cycle, 3.00 GHz, 25.0% of last-level cache references missed"
    assert told(Watched(counters(VIRTUAL), Samples())).startswith("no hardware counters here")


def test_samples_count_in_the_candidate_and_in_what_it_calls() -> None:
    found = samples(SCRIPT, "candidate.so")
    assert found.offsets == {0x1660: 2, 0x1010: 1}
    assert found.outside == {"__expf_fma (libm.so.6)": 1}
    assert found.total == 4


@pytest.mark.parametrize("script", ["", "failed to open perf.data: No such file or directory"])
def test_nothing_sampled_is_nothing(script: str) -> None:
    assert samples(script, "candidate.so") == Samples(0, {}, {})
