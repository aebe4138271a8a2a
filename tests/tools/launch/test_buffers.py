"""Memory that two processes share comes to the other one in whole pages of the GPU."""

from __future__ import annotations

import pytest

from avo.tools.launch.buffers import whole_pages


@pytest.mark.parametrize(("asked", "pages"), [(1, 1), (2 << 20, 1), ((2 << 20) + 1, 2), ((2 << 30) - 1, 1024)])
def test_a_size_is_rounded_up_to_whole_pages(asked: int, pages: int) -> None:
    assert whole_pages(asked) == pages << 21
