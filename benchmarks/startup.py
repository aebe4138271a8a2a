"""CPU seconds that `avo --help` and a misspelt scenario take, least of 5 fresh processes each."""

from __future__ import annotations

import json
import resource
import subprocess
import sys

COMMANDS = {
    "help": ["--help"],
    "misspelt scenario": ["run", "scenario", "mha_casual"],
    "scenario list": ["scenario", "list"],
}


def cpu_seconds(arguments: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-c", "from avo.cli import main; main()", *arguments], capture_output=True, check=False
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    print(json.dumps({name: round(min(cpu_seconds(c) for _ in range(5)), 3) for name, c in COMMANDS.items()}, indent=1))
