"""On a GPU: does a kernel answer bit for bit the same, launch after launch?

python benchmarks/repeat.py SCENARIO PATH [LAUNCHES]    JSON
"""

from __future__ import annotations

import ctypes
import json
import sys
from pathlib import Path
from typing import Any

import torch

from avo.scenarios.abi import SYMBOL, pack
from avo.scenarios.loader import Case, Scenario, load, shape_of
from avo.tools.build.seeds import folder_sources
from avo.tools.devices.gpu import gpu
from avo.tools.launch.arena import TORCH
from avo.tools.score.executor import LocalExecutor

TARGET = "sm_90a"


def repeated(scenario: Scenario, launch: Any, case: Case, launches: int) -> dict[str, Any]:
    """Launches on the same inputs; outputs are filled with ones before each and compared with those of the first."""
    tensors: dict[str, torch.Tensor] = dict(scenario.reference.make_inputs(case, 1, "cuda"))
    for tensor in scenario.tensors:
        if tensor.name not in tensors:
            tensors[tensor.name] = torch.empty(shape_of(tensor, case), dtype=TORCH[tensor.dtype], device="cuda")
    outputs = [tensor.name for tensor in scenario.tensors if tensor.role == "out"]
    packed = pack(scenario, case, {name: tensor.data_ptr() for name, tensor in tensors.items()})
    first: dict[str, torch.Tensor] = {}
    different = torch.zeros((), dtype=torch.int64, device="cuda")
    for _ in range(launches):
        for name in outputs:
            tensors[name].fill_(1)
        code = launch(packed, ctypes.c_void_p(torch.cuda.current_stream().cuda_stream))
        if code:
            raise SystemExit(f"avo_launch answered {code} (case {case.id})")
        first = first or {name: tensors[name].clone() for name in outputs}
        same = [(tensors[name].view(torch.uint8) == first[name].view(torch.uint8)).all() for name in outputs]
        different += ~torch.stack(same).all()
    return {"case": case.id, "launches": launches, "different": int(different)}


def main(name: str, path: str, launches: str = "1000") -> None:
    scenario = load(name)
    executor = LocalExecutor(scenario, TARGET)
    built = executor.build(folder_sources(Path(path)))
    ctypes.CDLL("libcuda.so.1", mode=ctypes.RTLD_GLOBAL)  # for cuTensorMapEncodeTiled
    with executor.held():
        launch = getattr(ctypes.CDLL(str(built.library)), SYMBOL)
        facts = [repeated(scenario, launch, case, int(launches)) for case in scenario.timed(TARGET)]
    print(json.dumps({"device": gpu(), "scenario": name, "cases": facts}, indent=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
