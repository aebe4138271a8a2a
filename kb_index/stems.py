"""The stem of an English word, by Porter's rules of 1980: `rescaling`, `rescaled` and `rescales` are one term."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

VOWELS = "aeiou"
SHORTEST = 4
"""Shorter words are stems already."""
SECOND = {
    "ational": "ate", "tional": "tion", "enci": "ence", "anci": "ance", "izer": "ize", "abli": "able", "alli": "al",
    "entli": "ent", "eli": "e", "ousli": "ous", "ization": "ize", "ation": "ate", "ator": "ate", "alism": "al",
    "iveness": "ive", "fulness": "ful", "ousness": "ous", "aliti": "al", "iviti": "ive", "biliti": "ble",
}  # fmt: skip
THIRD = {"icate": "ic", "ative": "", "alize": "al", "iciti": "ic", "ical": "ic", "ful": "", "ness": ""}
FOURTH = dict.fromkeys(
    ("al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou", "ism", "ate", "iti",
     "ous", "ive", "ize"), ""
)  # fmt: skip


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """The stem of a word in lower-case letters; anything else comes back as it is."""
    if len(word) < SHORTEST or not (word.isascii() and word.isalpha()):
        return word
    word = _past(_plural(word))
    if word.endswith("y") and _has_vowel(word[:-1]):
        word = word[:-1] + "i"
    for table, least in ((SECOND, 0), (THIRD, 0), (FOURTH, 1)):
        word = _replaced(word, table, least)
    return _without_e(word)


def _plural(word: str) -> str:
    if word.endswith(("sses", "ies")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _past(word: str) -> str:
    if word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) > 0 else word
    rest = next((word[: -len(ending)] for ending in ("ed", "ing") if word.endswith(ending)), "")
    if not _has_vowel(rest):
        return word
    if rest.endswith(("at", "bl", "iz")):
        return rest + "e"
    if len(rest) > 1 and rest[-1] == rest[-2] and _consonant(rest, len(rest) - 1) and rest[-1] not in "lsz":
        return rest[:-1]
    return rest + "e" if _measure(rest) == 1 and _short_end(rest) else rest


def _replaced(word: str, table: dict[str, str], least: int) -> str:
    """The longest ending of `table` replaced, where what stands before it has a measure above `least`."""
    for size in range(min(7, len(word) - 1), 1, -1):
        rest, ending = word[:-size], word[-size:]
        if ending in table:
            whole = _measure(rest) <= least or (ending == "ion" and rest[-1] not in "st")
            return word if whole else rest + table[ending]
    return word


def _without_e(word: str) -> str:
    if word.endswith("e"):
        rest, measure = word[:-1], _measure(word[:-1])
        if measure > 1 or (measure == 1 and not _short_end(rest)):
            word = rest
    return word[:-1] if word.endswith("ll") and _measure(word) > 1 else word


def _consonant(word: str, at: int) -> bool:
    if word[at] == "y":
        return at == 0 or not _consonant(word, at - 1)
    return word[at] not in VOWELS


def _has_vowel(word: str) -> bool:
    return any(not _consonant(word, at) for at in range(len(word)))


def _measure(word: str) -> int:
    """How often a vowel is followed by a consonant."""
    kinds = [_consonant(word, at) for at in range(len(word))]
    return sum(1 for before, after in pairwise(kinds) if not before and after)


def _short_end(word: str) -> bool:
    """Consonant, vowel, consonant, and the last is no w, x or y."""
    at = len(word) - 1
    return (
        at >= 2 and _consonant(word, at) and not _consonant(word, at - 1) and _consonant(word, at - 2)
        and word[at] not in "wxy"
    )  # fmt: skip
