"""Terms: names are found whole, by their parts and by the words that they abbreviate; words by their stems."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from avo.kb_index.index.abbreviations import WORDS
from avo.kb_index.index.tokens import LONGEST, query_terms, stem, terms


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mbarrier.try_wait.parity", {"mbarrier_try_wait_parity", "mbarrier_try_wait", "try_wait", "wait", "mbarrier"}),
        ("cute::copy", {"cute_copy", "cute", "copi"}),
        ("SoftmaxSm100", {"softmaxsm100", "softmax", "sm100"}),
        ("TMAStore", {"tmastore", "tma", "store"}),
        ("sm_100a", {"sm_100a", "sm100"}),
        ("128x64", {"128x64", "128", "x64"}),
        ("smem_ptr", {"smem_ptr", "smem", "share", "memori", "pointer"}),
        ("self.tiled_mma", {"tiled_mma", "tile", "mma", "matrix", "multipli"}),
    ],
)
def test_a_name_gives_itself_and_what_it_is_made_of(text: str, expected: set[str]) -> None:
    assert expected <= set(terms(text))


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("tcgen05.mma", "tcgen05.mma.cta_group::1.kind::f16"),
        ("mbarrier_try_wait", "mbarrier.try_wait"),
        ("rescaling", "rescaled"),
        ("shared memory", "load_smem"),
        ("the Registers", "register"),
    ],
)
def test_two_spellings_of_one_thing_share_a_term(question: str, text: str) -> None:
    assert set(query_terms(question)) & set(terms(text))


def test_what_says_nothing_is_no_term() -> None:
    assert terms("the of a self.x if i") == []
    assert terms("") == []
    assert terms("x" * (LONGEST + 1)) == []


def test_a_question_has_each_term_once_and_a_text_each_as_often_as_it_stands() -> None:
    assert terms("tile tile tiles") == ["tile"] * 3
    assert query_terms("tile tile tiles") == ["tile"]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("caresses", "caress"), ("ponies", "poni"), ("agreed", "agre"), ("feed", "feed"), ("motoring", "motor"),
        ("conflated", "conflat"), ("hopping", "hop"), ("falling", "fall"), ("filing", "file"), ("happy", "happi"),
        ("relational", "relat"), ("conditional", "condit"), ("rational", "ration"), ("triplicate", "triplic"),
        ("hopefulness", "hope"), ("adoption", "adopt"), ("replacement", "replac"), ("controlling", "control"),
        ("sky", "sky"), ("sing", "sing"), ("rate", "rate"), ("cease", "ceas"), ("bf16", "bf16"), ("ing", "ing"),
    ],
)  # fmt: skip
def test_stems_are_porters(word: str, expected: str) -> None:
    assert stem(word) == expected


def test_every_abbreviation_stands_for_words() -> None:
    assert all(words and short == short.lower() for short, words in WORDS.items())


def test_threads_do_not_mix_up_each_others_words() -> None:
    words = [f"{letter}{ending}" for letter in "bcdfghjklmnprstv" for ending in ("elational", "otoring", "opefulness")]
    alone = [stem(word) for word in words]
    stem.cache_clear()
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(stem, words)) == alone
