"""Removal of hidden tests from error messages: an agent may read neither their ids nor their dimensions."""

from __future__ import annotations

import re

from avo.scenarios.loader import Case, Scenario

ALONE = 4
"""Shortest id, in characters, that is replaced anywhere; a shorter one may be a word."""
SMALL = 9
"""Largest number that is never hidden."""


def discreet(text: str, scenario: Scenario) -> str:
    """Return an error message without hidden ids and dimensions, for agents; people get the full text elsewhere."""
    hidden = [case for case in scenario.tests if case.hidden]
    shown = {extent for case in (*scenario.cases, *scenario.tests) if not case.hidden for extent in case.dims.values()}
    for case in hidden:
        name = re.escape(case.id)
        text = re.sub(rf"(['\"`]){name}\1|(?<=case ){name}(?![\w-])", case.label, text)
        if len(case.id) >= ALONE:
            text = re.sub(rf"(?<![\w.-]){name}(?![\w-])", case.label, text)

    def veiled(match: re.Match[str]) -> str:
        number = int(match[0]) if len(match[0]) < 20 else 0
        return (
            "…" if number > SMALL and number not in shown and any(_has(case, number) for case in hidden) else match[0]
        )

    return re.sub(r"(?<![\w.])\d+(?![\w.]\w)", veiled, text)


def _has(case: Case, number: int) -> bool:
    """Return True if one of the case's dimensions is that number, or its range includes it."""
    drawn = case.ranges.values()
    return number in case.dims.values() or any(first <= number <= last for first, last in drawn)
