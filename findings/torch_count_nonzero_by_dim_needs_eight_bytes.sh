#!/usr/bin/env bash
# torch 2.13.0 on a CPU: count_nonzero with a dim makes a 64-bit integer of each element first; without one it does not.
#
# Of a tensor of 2^28 bools, 268 MB, is counted how many are true: in all, and by row. Growth of the process's largest
# resident set over that of before, by element.
# Guess before the run: less than a byte each, as both only read.
# Seen: count_nonzero(x) 0.0 bytes; count_nonzero(x, dim=1) 8.0 bytes, 2.1 GB. x.any(dim=1), and amax over a view as
# uint8, 0.0 bytes.
# What follows: to ask whether one is true, any or amax serve; on 4 million bools amax took 0.2 ms, the count 17 ms.
#
# Exit code 0 while that is so; 1 as soon as one of the figures differs.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.13.0
cat > count.py <<'PY'
import resource
import sys

import torch

tensor = torch.zeros(1 << 12, 1 << 16, dtype=torch.bool)


def bytes_each(function):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    function()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / tensor.numel()


whole = bytes_each(lambda: torch.count_nonzero(tensor))
asked = bytes_each(lambda: (tensor.any(dim=1), tensor.view(torch.uint8).amax(dim=1)))
by_row = bytes_each(lambda: torch.count_nonzero(tensor, dim=1))
print(f"torch {torch.__version__}, bytes for each element: count {whole:.1f}, any and amax {asked:.1f}, by row {by_row:.1f}")
sys.exit(not (whole < 1 and asked < 1 and by_row > 7))
PY
venv/bin/python -W ignore count.py
