#!/usr/bin/env bash
# pytest-xdist 3.8.0 under pytest 9.2.0: `--dist loadgroup` runs, names no problem, and keeps no group together.
#
# Eight tests carry the mark xdist_group("one") and note which of two workers runs them.
# Guess before the run: one worker has all eight, under either version of pytest.
# Seen: under pytest 8.4.2 one worker; under pytest 9.2.0 both workers, exit code 0, no warning. The worker appends
# "@one" to the attribute `_nodeid` of each test; since 9.2 `nodeid` is read from another attribute.
# What follows: a fixture of module or session scope is made once in each worker, and tests that must not run beside
# each other do. `--dist loadfile` does not rely on it.
#
# Exit code 0 while that is so; 1 as soon as either figure differs.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir tests
cat > tests/test_group.py <<'PY'
import os, time
import pytest

@pytest.mark.xdist_group("one")
@pytest.mark.parametrize("number", range(8))
def test_notes_its_worker(number):
    time.sleep(0.2)
    with open(os.environ["NOTED"], "a") as file:
        file.write(os.environ["PYTEST_XDIST_WORKER"] + "\n")
PY
workers() {
    python3 -m venv "$1" && "$1/bin/pip" install --quiet --disable-pip-version-check "pytest==$2" pytest-xdist==3.8.0
    NOTED="$folder/$1.txt" "$1/bin/python" -m pytest -q -p no:cacheprovider -n 2 --dist loadgroup tests > "$1.log"
    sort -u "$1.txt" | wc -l
}
older=$(workers older 8.4.2)
newer=$(workers newer 9.2.0)
echo "workers that ran the group: $older under pytest 8.4.2, $newer under pytest 9.2.0; $(grep -c -i warn newer.log || true) warnings"
[ "$older" = 1 ] && [ "$newer" = 2 ]
