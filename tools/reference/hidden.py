"""Rejections by hidden tests: a general reason, and nothing that a candidate can choose.

A code, a signal, a position or a count could reveal the shape of the test, which no candidate is to be fitted to.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from avo.scenarios.loader import Case
from avo.types import Rejected, Status

HOW = {
    Status.RUNTIME_ERROR: "crashed, or returned what stands for a failure",
    Status.TIMEOUT: "took too long",
    Status.INCORRECT_NUMERICAL: "an output is wrong",
    Status.INPUT_MODIFIED: "an input changed",
    Status.NOT_WRITTEN: "left elements of an output unwritten",
    Status.OUT_OF_BOUNDS: "read or wrote outside its tensors",
    Status.NON_DETERMINISTIC: "outputs differ between two launches on the same inputs",
    Status.UNSUPPORTED: "avo_launch returned 1: unsupported case",
}
"""Status -> general reason."""


@contextlib.contextmanager
def kept_back(case: Case) -> Iterator[None]:
    """For a hidden test, replace the reason of a rejection in the block by a general one, and drop its log."""
    try:
        yield
    except Rejected as rejected:
        if not case.hidden:
            raise
        raise Rejected(rejected.status, f"{HOW.get(rejected.status, 'failed')} (case {case.label})") from None
