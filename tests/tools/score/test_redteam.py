"""Candidates that are wrong, that cheat, and that are odd but legal: each gets the verdict its first lines name."""

import re
from pathlib import Path

import pytest

from avo.scenarios.loader import load
from avo.tools.executor import LocalExecutor
from avo.tools.sources import Sources, read_sources
from avo.types import Rejected, Status, Verdict

TESTS = Path(__file__).parents[2]
SHARED = {
    "honest_attention.h": (TESTS / "honest" / "attention.h").read_bytes(),
    "takeover.h": (TESTS / "cheats" / "takeover.h").read_bytes(),
}
GAIN = 1.25
"""Ratio to the shared attention that is still noise."""


def paths(folder: str) -> list[Path]:
    """A candidate is a .cpp file, or a folder whose launch.cpp says what to expect."""
    found = [*(TESTS / folder).glob("*.cpp"), *(path.parent for path in (TESTS / folder).glob("*/launch.cpp"))]
    return sorted(found)


def lines(path: Path) -> tuple[str, str]:
    """What follows `expect:` (statuses with | between them) and `because:`."""
    text = (path / "launch.cpp" if path.is_dir() else path).read_text()
    expect = re.search(r"^// expect: (.+)$", text, re.MULTILINE)
    because = re.search(r"^// because: (.+)$", text, re.MULTILINE)
    assert expect, f"{path} names no verdict"
    return expect[1], because[1] if because else ""


def sources(path: Path) -> Sources:
    own = read_sources(path) if path.is_dir() else {path.name: path.read_bytes()}
    return own | SHARED


EVERYTHING = [path for folder in ("honest", "wrong", "cheats") for path in paths(folder)]
HONEST = [path for path in EVERYTHING if lines(path)[0] == Status.PASSED]
USELESS = [path for path in EVERYTHING if lines(path)[0] == "NO_GAIN"]
REJECTED = [path for path in EVERYTHING if path not in HONEST and path not in USELESS]


def by_name(candidates: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", candidates, ids=[path.stem for path in candidates])


@pytest.fixture(scope="module")
def executor() -> LocalExecutor:
    """The shipped scenario with short time limits; everything is compiled before the first test."""
    scenario = load("mha_causal")
    hasty = scenario.target("cpu").model_copy(update={"compile_seconds": 3.0, "launch_seconds": 1.0})
    executor = LocalExecutor(scenario.model_copy(update={"targets": {"cpu": hasty}}), "cpu")
    executor.prepare([sources(path) for path in EVERYTHING])
    return executor


@pytest.fixture(scope="module")
def honest(executor: LocalExecutor) -> Verdict:
    return executor.evaluate(sources(TESTS / "honest" / "shared_attention.cpp"))


def test_there_are_many_of_each_kind() -> None:
    assert len(REJECTED) >= 30
    assert len(HONEST) >= 4


@by_name(REJECTED)
def test_is_rejected_for_its_own_reason(executor: LocalExecutor, path: Path) -> None:
    status, because = lines(path)
    verdict = executor.evaluate(sources(path))
    assert verdict.status in [Status(name) for name in status.split("|")], verdict.reason
    assert re.search(because, verdict.reason), verdict.reason
    assert verdict.score == 0
    assert not verdict.cases
    assert "root:" not in verdict.reason + verdict.log


@by_name(HONEST)
def test_is_legal_and_passes(executor: LocalExecutor, path: Path) -> None:
    verdict = executor.evaluate(sources(path))
    assert verdict.status is Status.PASSED, verdict.reason
    assert verdict.score > 0


@by_name(USELESS)
def test_gains_nothing_in_a_score(executor: LocalExecutor, honest: Verdict, path: Path) -> None:
    verdict = executor.evaluate(sources(path))
    assert verdict.score < honest.score * GAIN


@by_name(USELESS)
def test_gains_nothing_in_a_comparison(executor: LocalExecutor, path: Path) -> None:
    try:
        comparison = executor.compare(sources(TESTS / "honest" / "shared_attention.cpp"), sources(path))
    except Rejected:
        return
    assert comparison.ratio < GAIN
