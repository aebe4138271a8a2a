"""A fault's line, as an agent reads it, names no hidden test and none of its dimensions."""

from __future__ import annotations

import pytest

from avo.scenarios.discreet import discreet
from avo.scenarios.loader import Scenario


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("reference.py:3: case 'large values': no output", "reference.py:3: case a hidden test: no output"),
        ("(case large values) has shape [16, 300]", "(case a hidden test) has shape […, …]"),
        ("size (16, 300) does not fit R=16 C=300", "size (…, …) does not fit R=… C=…"),
        ("case 'odd' has R=3, C=77; wide has 128, 4096", "case 'odd' has R=3, C=77; wide has 128, 4096"),
        ("took 16.5 s, 1300 bytes, v16", "took 16.5 s, 1300 bytes, v16"),
    ],
)
def test_what_is_hidden_is_left_out(tiny: Scenario, line: str, told: str) -> None:
    assert discreet(line, tiny) == told


def test_what_may_be_drawn_is_left_out_too(tiny: Scenario) -> None:
    drawn = tiny.tests[1].model_copy(update={"ranges": {"C": (500, 600)}})
    other = tiny.model_copy(update={"tests": (drawn,)})
    assert discreet("C=555, C=700", other) == "C=…, C=700"
