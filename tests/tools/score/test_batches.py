"""Rows of launches last long enough for the clocks, as far as there are buffers."""

from __future__ import annotations

import pytest

from avo.tools.score.batches import GROUP_SECONDS, ROW_SECONDS, Row, enough, expected_rows, longer_row


@pytest.mark.parametrize("each", [2e-6, 16e-6, 130e-6, 0.4e-3, 3e-3, 15e-3])
@pytest.mark.parametrize("most", [8, 77, 512])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_row_grows_until_it_lasts_long_enough_or_there_are_no_more_buffers(
    each: float, most: int, device: str
) -> None:
    row, taken = Row(1), each
    while longer := longer_row(row, taken, most, device):
        assert longer.launches > row.launches
        row, taken = longer, longer.launches * each
    assert row.launches <= most
    assert row.launches % row.group == 0
    assert taken >= ROW_SECONDS[device] or row.launches > most - row.group
    assert row.group * each >= GROUP_SECONDS[device] or row.group == row.launches


def test_launches_that_last_are_timed_one_by_one() -> None:
    assert longer_row(Row(3), 3 * 0.8e-3, 512, "cuda") == Row(30)
    assert longer_row(Row(3), 3 * 16e-6, 400, "cuda") == Row(390, 13)
    assert longer_row(Row(3), 3 * 8e-3, 512, "cuda") is None
    assert longer_row(Row(1), 1.1e-3, 16, "cpu") is None
    assert longer_row(Row(1), 0.4e-3, 4, "cpu") == Row(3, 3)
    assert longer_row(Row(1), 0.02e-3, 4, "cpu") == Row(4, 4)


def test_rows_are_enough_by_their_time_by_their_launches_or_where_all_else_takes_longer() -> None:
    assert not enough(0.1, [1.0] * 23, Row(1), taken=3.0)
    assert enough(0.1, [1.0] * 24, Row(1), taken=3.0)
    assert enough(0.3, [1.0] * 3, Row(1), taken=3.0)
    assert enough(0.1, [1.0] * 6, Row(4), taken=3.0)
    assert enough(0.1, [1.0] * 12, Row(1), taken=9.0)
    assert not enough(0.1, [1.0] * 11, Row(1), taken=9.0)
    assert not enough(0.3, [1.0] * 2, Row(64), taken=9.0)


def test_how_many_rows_there_will_be_is_known_before() -> None:
    assert expected_rows(10.0, Row(1)) == 3
    assert expected_rows(0.02, Row(1)) == 8
    assert expected_rows(1e-5, Row(4, 4)) == 6
