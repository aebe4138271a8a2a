"""The assembler of seccomp filters: compiles rules about system calls to classic BPF. Standard library only.

A program reads struct seccomp_data: the call's number at byte 0, the architecture at 4, six 8-byte arguments from 16.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from avo.sandbox.syscalls import ARCHITECTURES, number

LOAD, EQUAL, AT_LEAST, ANY_BIT, GIVE = 0x20, 0x15, 0x35, 0x45, 0x06
"""Opcodes of classic BPF: load a 32-bit word into the accumulator; jump if it equals, is at least (unsigned) or shares
a bit with the constant; return.
"""
INSTRUCTION = struct.Struct("=HBBI")
"""struct sock_filter: code, jump if true, jump if false, constant."""
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16
"""Offsets of fields in struct seccomp_data, in bytes."""
LARGEST_PROGRAM = 4096
"""Maximum number of instructions that the kernel accepts in one program."""
X32 = 0x40000000
"""Flag of the x32 ABI: numbers from here on repeat the calls of x86_64. Negative ones, read as unsigned, are larger
still, and name no call.
"""
KILL, ALLOW = 0x80000000, 0x7FFF0000
"""SECCOMP_RET_KILL_PROCESS and SECCOMP_RET_ALLOW."""


def error(number: int) -> int:
    """Return the action that skips a call and makes it fail with this errno (SECCOMP_RET_ERRNO)."""
    return 0x00050000 | number


@dataclass(frozen=True)
class Argument:
    """A condition on one argument of a system call: it equals `value` or, with `any_bit`, has one of its bits.

    Only the lower 4 of its 8 bytes are compared; of a pid, an option or clone's flags the kernel itself reads no more.
    """

    index: int
    """Position of the argument, 0 to 5."""
    value: int
    """The value, or with `any_bit` a mask of bits."""
    any_bit: bool = False


@dataclass(frozen=True)
class Rule:
    """A system call by name, and the action taken if its arguments meet all conditions; if not, later rules apply."""

    call: str
    """Name of the system call."""
    action: int
    """Such as ALLOW, KILL or an `error`."""
    arguments: tuple[Argument, ...] = ()
    """Conditions that all have to be met."""


def assemble(machine: str, rules: Iterable[Rule], otherwise: int) -> bytes:
    """Return the program in which the first matching rule decides, and `otherwise` where none matches.

    A call of another architecture than `machine` (such as a 32-bit one) or a number from X32 on kills the process.
    Rules for calls that `machine` does not have are left out. Raises KeyError for an unknown machine or call.
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
