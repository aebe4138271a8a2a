"""What an agent may not read of a fault: the ids and the dimensions of the hidden tests that it is checked on."""

from __future__ import annotations

import re

from avo.scenarios.loader import Case, Scenario

ALONE = 4
"""Characters from which on an id is one wherever it stands; a shorter one may be a word."""
SMALL = 9
"""Numbers up to it say nothing."""


def discreet(text: str, scenario: Scenario) -> str:
    """A line about a fault without what is hidden; people read it whole, on the terminal and in the artifacts."""
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
    """Whether one of a case's dimensions is that number, or may be drawn to be."""
    drawn = case.ranges.values()
    return number in case.dims.values() or any(first <= number <= last for first, last in drawn)
