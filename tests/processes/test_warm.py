"""A command that is started warm does what it does in an interpreter of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from warm import Warm

pytestmark = pytest.mark.slow

TINY = Path(__file__).parents[1] / "tiny"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("scenario", "list"), 0), (("scenario", "show", "mha_causal", "--json"), 0), (("eval", "mha_casual"), 2),
        (("lineage", "log", "--run", "nowhere"), 3), (("scenario", "show", "./tiny"), 0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)  # fmt: skip
def test_it_ends_and_prints_as_one_that_is_started_cold(
    warm: Warm, tmp_path: Path, words: tuple[str, ...], code: int
) -> None:
    shutil.copytree(TINY, tmp_path / "tiny")
    variables = os.environ | {"AVO_SCENARIO_PATH": str(tmp_path)}
    cold = subprocess.run(
        [sys.executable, "-c", "from avo.cli import main; main()", *words],
        capture_output=True, text=True, check=False, cwd=tmp_path, env=variables,
    )  # fmt: skip
    done = warm.run(words, tmp_path, variables)
    assert (done.returncode, done.stdout, done.stderr) == (cold.returncode, cold.stdout, cold.stderr)
    assert done.returncode == code


def test_the_variables_of_one_command_are_not_those_of_the_next(warm: Warm, tmp_path: Path) -> None:
    shutil.copytree(TINY, tmp_path / "ours")
    for variables, found in (({"AVO_SCENARIO_PATH": str(tmp_path)}, True), ({}, False)):
        assert ("ours" in warm.run(("scenario", "list"), tmp_path, os.environ | variables).stdout) is found


def test_a_command_has_no_variable_that_only_the_process_it_is_forked_from_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(TINY, tmp_path / "ours")
    without = dict(os.environ)
    monkeypatch.setenv("AVO_SCENARIO_PATH", str(tmp_path))
    with contextlib.closing(Warm()) as other:
        assert "ours" not in other.run(("scenario", "list"), tmp_path, without).stdout


def test_what_an_interpreter_reads_when_it_starts_is_left_to_one(warm: Warm) -> None:
    assert warm.serves(os.environ | {"AVO_RUN": "x", "OPENAI_API_KEY": "x"})
    assert not warm.serves(os.environ | {"PYTHONPATH": "x"})
    assert not warm.serves(os.environ | {"LC_ALL": "de_DE.UTF-8"})
