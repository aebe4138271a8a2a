"""Launches on data that nobody saw before tell what was kept from what a machine's neighbours do."""

from __future__ import annotations

import pytest

from avo.tools.score.timing import slower


@pytest.mark.parametrize(
    ("anew", "samples"),
    [
        ([3.3, 3.4], [2.0, 2.1, 2.1, 2.2]),  # all of it is kept
        ([2.4, 2.5], [2.0, 2.0, 2.1, 2.1]),  # a part of it
        ([0.33, 0.34], [0.33, 0.025, 0.33, 0.33, 0.026]),  # in a few launches, as slow as new data in the median
    ],
)
def test_what_is_kept_shows_on_new_data(anew: list[float], samples: list[float]) -> None:
    assert slower(anew, samples)


@pytest.mark.parametrize(
    ("anew", "samples"),
    [
        ([2.0, 2.1], [2.0, 2.1, 2.1, 2.2]),
        ([2.7, 3.5, 2.2], [2.0, 2.1, 2.1, 2.2]),  # two of three were slowed by a neighbour
        ([1.4, 1.5], [1.0, 1.3, 1.4, 1.5]),  # a quick launch among slow ones
    ],
)
def test_a_neighbour_is_not_taken_for_it(anew: list[float], samples: list[float]) -> None:
    assert not slower(anew, samples)
