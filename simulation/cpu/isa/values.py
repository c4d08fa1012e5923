"""What the instruction sets share: conditions over the last comparison, and steps written from templates."""

import re

from ..control import Step

NAMES = re.compile(r"\b(?:[a-z]\w*)\b")
WORDS = frozenset({"get", "if", "else", "and", "or", "not"})
U = "U"

CONDITIONS = {
    "eq": "fs == ft", "ne": "fs != ft", "lt": "fs < ft", "ge": "fs >= ft", "le": "fs <= ft", "gt": "fs > ft",
    "lo": f"fs & {2**64 - 1} < ft & {2**64 - 1}", "hs": f"fs & {2**64 - 1} >= ft & {2**64 - 1}",
    "ls": f"fs & {2**64 - 1} <= ft & {2**64 - 1}", "hi": f"fs & {2**64 - 1} > ft & {2**64 - 1}",
    "mi": "fs - ft < 0", "pl": "fs - ft >= 0",
}  # fmt: skip
"""Arm's conditions over the two numbers that were compared last (``fs``, ``ft``: both sign-extended)."""
INVERSE = {
    "eq": "ne", "ne": "eq", "lt": "ge", "ge": "lt", "le": "gt", "gt": "le", "lo": "hs", "hs": "lo", "ls": "hi",
    "hi": "ls", "mi": "pl", "pl": "mi", "cs": "cc", "cc": "cs",
}  # fmt: skip
FLAGS = frozenset({"fs", "ft"})


def condition(name: str) -> str:
    """Write a condition; "U" for one over flags that are not kept."""
    return CONDITIONS.get({"cs": "hs", "cc": "lo"}.get(name, name), U)


def takes(code: str) -> frozenset[str]:
    """Find the registers that an expression reads."""
    return frozenset(n for n in NAMES.findall(code) if n not in WORDS)


def give(register: str, code: str) -> Step:
    """A register gets a value."""
    return Step(f"{register} = {code}", frozenset({register}), takes(code))


def compare(a: str, b: str, width: int) -> Step:
    """Remember two numbers of so many bits for the conditions that follow."""
    code = f"fs = S({a}, {width}); ft = S({b}, {width})"
    return Step(code, FLAGS, takes(a) | takes(b))


def both(first: Step, second: Step) -> Step:
    """Do one after the other."""
    gives = first.gives | second.gives
    return Step(f"{first.code}\n{second.code}", gives, first.takes | second.takes)


def store(address: str, code: str) -> Step:
    """Write a number to the stack."""
    return Step(f"mem[{address}] = {code}", frozenset({"mem"}), takes(address) | takes(code))


def load(address: str) -> str:
    """Read a number of the stack."""
    return f"mem.get({address}, U)"
