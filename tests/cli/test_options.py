"""What `auto` means: the GPU that CUDA shows to the process, where the scenario has code for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from avo.cli import options
from avo.cli.options import resolve_target
from avo.scenarios.loader import load
from avo.tools.devices import gpu
from avo.tools.devices.gpu import Gpu
from avo.types import AvoError


@pytest.mark.parametrize(
    ("found", "target"),
    [((90,), "sm_90a"), ((86,), "sm_80"), ((75, 90), "sm_90a"), ((80, 100), "sm_100a"), ((75,), "cpu"), ((), "cpu")],
)
def test_auto_is_the_best_target_that_a_gpu_here_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: tuple[int, ...], target: str
) -> None:
    (tmp_path / "nvidiactl").touch()
    monkeypatch.setattr(options, "DRIVERS_DEVICES", (str(tmp_path / "nvidiactl"),))
    monkeypatch.setattr(gpu, "gpus", lambda: tuple(Gpu(f"GPU-{number}", number) for number in found))
    assert resolve_target("auto", load("mha_causal")) == target
    assert resolve_target("auto", load("sort_rows")) == "cpu"


def test_a_named_target_is_one_of_the_scenarios() -> None:
    assert resolve_target("sm_100a", load("mha_causal")) == "sm_100a"
    with pytest.raises(AvoError, match="sm_70"):
        resolve_target("sm_70", load("mha_causal"))
