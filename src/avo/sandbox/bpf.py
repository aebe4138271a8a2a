"""The assembler of seccomp filters: rules about system calls become a program of classic BPF. Standard library only.

A program sees struct seccomp_data: the number at byte 0, the architecture at 4, six arguments of 8 bytes from 16 on.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from avo.sandbox.syscalls import ARCHITECTURES, number

LOAD, EQUAL, AT_LEAST, ANY_BIT, GIVE = 0x20, 0x15, 0x35, 0x45, 0x06
"""Instructions: a word into the accumulator; jumps on what it holds, unsigned; the end."""
INSTRUCTION = struct.Struct("=HBBI")
"""struct sock_filter: code, jump if true, jump if false, constant."""
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16
LARGEST_PROGRAM = 4096
"""Instructions that the kernel takes."""
X32 = 0x40000000
"""From here on, numbers mean the same calls once more on x86_64; negative ones are above it, and mean nothing."""
KILL, ALLOW = 0x80000000, 0x7FFF0000


def error(number: int) -> int:
    """The action that leaves a call undone and answers this errno."""
    return 0x00050000 | number


@dataclass(frozen=True)
class Argument:
    """An argument that a rule asks for: it equals `value`, or with `any_bit` has one of its bits.

    Of its 8 bytes the lower 4 are looked at: as much as the kernel itself takes of a pid, an option or clone's flags.
    """

    index: int
    """0 to 5."""
    value: int
    any_bit: bool = False


@dataclass(frozen=True)
class Rule:
    """A call by its name, and the action when it has all these arguments; if not, later rules are asked."""

    call: str
    action: int
    arguments: tuple[Argument, ...] = ()


def assemble(machine: str, rules: Iterable[Rule], otherwise: int) -> bytes:
    """The program in which the first rule that fits decides, and `otherwise` where none does.

    First of all, a call of another architecture than `machine` (such as a 32-bit one) kills the process, and so does
    a number from X32 on. Rules for calls that `machine` does not have are left out. Raises KeyError for a machine or a
    name that the table does not have.
    """
    code = [(LOAD, 0, 0, ARCHITECTURE), (EQUAL, 1, 0, ARCHITECTURES[machine]), (GIVE, 0, 0, KILL)]
    code += [(LOAD, 0, 0, NUMBER), (AT_LEAST, 0, 1, X32), (GIVE, 0, 0, KILL)]
    for rule in rules:
        if (called := number(rule.call, machine)) is None:
            continue
        body = list[tuple[int, int, int, int]]()
        for index, asked in enumerate(rule.arguments):
            past_the_action = 2 * (len(rule.arguments) - index) - 1
            body.append((LOAD, 0, 0, ARGUMENTS + 8 * asked.index))  # its lower half: both are little-endian
            body.append((ANY_BIT if asked.any_bit else EQUAL, 0, past_the_action, asked.value))
        body.append((GIVE, 0, 0, rule.action))
        if rule.arguments:
            body.append((LOAD, 0, 0, NUMBER))  # for the rules that follow
        code += [(EQUAL, 0, len(body), called), *body]
    code.append((GIVE, 0, 0, otherwise))
    assert len(code) <= LARGEST_PROGRAM
    return b"".join(INSTRUCTION.pack(*instruction) for instruction in code)
