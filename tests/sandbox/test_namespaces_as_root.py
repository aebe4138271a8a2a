"""Root in a container has parts of root's rights; with whichever it has, a cell holds and its sources come back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from avo.sandbox.isolation import measures_in_force
from avo.settings import PACKAGE

PR_CAPBSET_DROP = 24
CHOWN, SETUID, SYS_ADMIN = 0, 7, 21
RUNS = """
import json, subprocess, sys
from avo.sandbox import confine
for capability in json.loads(sys.argv[1]):
    confine.libc.prctl(24, capability, 0, 0, 0)
inner = '''
import json, sys
from pathlib import Path
from avo.sandbox.isolation import measures_in_force
from avo.tools.shell import Limits, in_cell
done, _ = in_cell(Path(sys.argv[1]), sys.argv[2], 20, Limits(processes=30))
print(json.dumps({"output": done.output, "code": done.code, "measures": measures_in_force()}))
'''
subprocess.run([sys.executable, "-c", inner, *sys.argv[2:]], check=True)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="about root")
@pytest.mark.skipif("shell" not in measures_in_force(), reason="this system has neither namespaces nor Landlock")
@pytest.mark.parametrize(
    "dropped",
    [[], [SYS_ADMIN], [SETUID], [SETUID, SYS_ADMIN], [CHOWN, SYS_ADMIN], list(range(41))],
    ids=["all", "no SYS_ADMIN", "no SETUID", "neither", "no CHOWN", "none"],
)
def test_a_cell_holds_with_parts_of_the_rights_of_root(tmp_path: Path, dropped: list[int]) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "a.cpp").write_text("int a;\n")
    (tmp_path / "secret").write_text("a-planted-secret")
    tmp_path.chmod(0o700)
    command = (
        f"echo '// more' >> a.cpp; cat {tmp_path}/secret /etc/shadow; echo x > {tmp_path}/x; kill -9 $PPID; "
        "for i in $(seq 60); do sleep 5 & done; echo all"
    )
    variables = os.environ | {"PYTHONPATH": str(PACKAGE.parent)}
    boot = [sys.executable, "-c", RUNS, json.dumps(dropped), str(tree), command]
    done = subprocess.run(boot, capture_output=True, text=True, check=False, env=variables)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert "a-planted-secret" not in told["output"]
    assert "root:" not in told["output"]
    assert not (tmp_path / "x").exists()
    assert (tree / "a.cpp").read_text() == "int a;\n// more\n"
    assert {"shell", "shell_signals"} <= {*told["measures"]}
    assert ("shell_processes" in told["measures"]) == ("all" not in told["output"].split()), told
