"""GPU architectures that a text mentions: sm_90 is found in `SM90_64x128x16`, in `wgmma` and in `Hopper`."""

from __future__ import annotations

import re

ANY = ("any",)
"""The tag of a text about no particular architecture, which passes every filter."""

KNOWN = (50, 52, 53, 60, 61, 62, 70, 72, 75, 80, 86, 87, 88, 89, 90, 100, 101, 103, 107, 110, 120, 121)
"""Compute capabilities times ten; any other number is no architecture."""

NUMBER = re.compile(r"(?:(?<![A-Za-z0-9])(?:sm|SM|compute)|Sm)_?(\d{2,3})[afAF]?(?![0-9a-z])")
WORD = re.compile(r"(tcgen05|(?<![a-z])(?:tmem|umma)|blackwell)|(wgmma|hopper)|(ampere)")
NAMED = ("sm_100", "sm_90", "sm_80")
"""Architectures of the three groups of WORD."""


def tags(*texts: str) -> tuple[str, ...]:
    """Return the architectures in ascending order, without the suffixes a and f; ANY if none is mentioned."""
    found = set()
    for text in texts:
        found |= {f"sm_{number}" for number in set(NUMBER.findall(text)) if int(number) in KNOWN}
        found |= {NAMED[match.lastindex - 1] for match in WORD.finditer(text.lower()) if match.lastindex}
    return tuple(sorted(found, key=lambda name: int(name[3:]))) or ANY


def supporting(listed: str) -> tuple[str, ...]:
    """Parse an instruction's list of architectures: `SM_90` means it and all later ones, `SM_90a` only itself."""
    found = set()
    for number, suffix in re.findall(r"SM_(\d{2,3})([af]?)\b", listed):
        found |= {int(number)} if suffix else {known for known in KNOWN if known >= int(number)}
    if not found or found == set(KNOWN):
        return ANY
    return tuple(f"sm_{number}" for number in sorted(found))
