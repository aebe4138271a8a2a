"""Which GPU architectures a text speaks of: sm_90 from `SM90_64x128x16`, from `wgmma` and from `Hopper` alike."""

from __future__ import annotations

import re

ANY = ("any",)
"""The tag of what belongs to no architecture, so that a filter can let it pass."""

KNOWN = (50, 52, 53, 60, 61, 62, 70, 72, 75, 80, 86, 87, 88, 89, 90, 100, 101, 103, 107, 110, 120, 121)
"""Compute capabilities times ten; a number that is none of these is no architecture."""

NUMBER = re.compile(r"(?:(?<![A-Za-z0-9])(?:sm|SM|compute)|Sm)_?(\d{2,3})[afAF]?(?![0-9a-z])")
WORD = re.compile(r"(tcgen05|(?<![a-z])(?:tmem|umma)|blackwell)|(wgmma|hopper)|(ampere)")
NAMED = ("sm_100", "sm_90", "sm_80")
"""What the three groups of WORD stand for."""


def tags(*texts: str) -> tuple[str, ...]:
    """Base names in ascending order, without the suffixes a and f; ANY when none is spoken of."""
    found = set()
    for text in texts:
        found |= {f"sm_{number}" for number in set(NUMBER.findall(text)) if int(number) in KNOWN}
        found |= {NAMED[match.lastindex - 1] for match in WORD.finditer(text.lower()) if match.lastindex}
    return tuple(sorted(found, key=lambda name: int(name[3:]))) or ANY


def supporting(listed: str) -> tuple[str, ...]:
    """Those of an instruction's list: a plain `SM_90` stands for itself and all later ones, `SM_90a` for itself."""
    found = set()
    for number, suffix in re.findall(r"SM_(\d{2,3})([af]?)\b", listed):
        found |= {int(number)} if suffix else {known for known in KNOWN if known >= int(number)}
    if not found or found == set(KNOWN):
        return ANY
    return tuple(f"sm_{number}" for number in sorted(found))
