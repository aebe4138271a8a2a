"""Which of the sandbox's measures this system grants: tried in a child."""

from __future__ import annotations

import json
import subprocess

from avo.tools.process import python_child

MEASURES = {
    "limits": "memory, file size and descriptors of a candidate are bounded",
    "namespaces": "a candidate has no network and no processes of others",
    "read_only": "neither a candidate nor the shell tool changes modes, owners or times of any file",
    "no_new_privs": "a candidate cannot gain rights",
    "landlock": "a candidate opens no file but its own; the shell tool writes nothing but its copy of the work tree",
    "seccomp": "a candidate starts no thread or process, opens no socket, sends no signal",
}


def measures_in_force() -> list[str]:
    """Names of MEASURES, as a fresh process was granted them."""
    done = subprocess.run(python_child("avo.tools.sandbox", "probe"), capture_output=True, text=True, check=False)
    in_force: list[str] = json.loads(done.stdout) if done.returncode == 0 else []
    return in_force
