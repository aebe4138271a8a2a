"""Architectures are found by number and by the words that only one of them knows."""

from __future__ import annotations

import pytest

from avo.kb_index.index.arch import ANY, supporting, tags


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("compiled for sm_90a", ("sm_90",)),
        ("flash_fwd_sm100.py", ("sm_100",)),
        ("class SoftmaxSm100Base", ("sm_100",)),
        ("SM100_MMA_F16 and SM90_64x8x16", ("sm_90", "sm_100")),
        ("-gencode arch=compute_80", ("sm_80",)),
        ("wgmma.fence on HOPPER", ("sm_90",)),
        ("d_tmem of tcgen05.mma", ("sm_100",)),
        ("Ampere, then Blackwell", ("sm_80", "sm_100")),
        ("SM_100f, SM_103a, SM_120", ("sm_100", "sm_103", "sm_120")),
        ("num_sms=132, prism_100, sm_1000, sm_99, transm90, a summary", ANY),
        ("", ANY),
    ],
)
def test_a_text_is_tagged_with_what_it_speaks_of(text: str, expected: tuple[str, ...]) -> None:
    assert tags(text) == expected


def test_path_and_text_count_together() -> None:
    assert tags("hopper/mainloop.hpp", "uses sm_80 as well") == ("sm_80", "sm_90")


def test_a_plain_requirement_holds_for_later_architectures_and_a_suffixed_one_does_not() -> None:
    assert {"sm_90", "sm_100", "sm_121"} <= set(supporting("PTX ISA 80, SM_90"))
    assert supporting("PTX ISA 80, SM_90a") == ("sm_90",)
    assert supporting("PTX ISA 20") == ANY
    assert supporting("PTX ISA 20, SM_50") == ANY
