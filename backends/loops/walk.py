"""What values and statements are made of, and the same ones made of other values."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from .code import Body, For, If, Let, Run, Statement, Store, Value

Change = Callable[[Value], Value]


def statements(body: Body) -> Iterator[Statement]:
    """List statements with those in loops and conditions."""
    for s in body:
        yield s
        if isinstance(s, For | If):
            yield from statements(s.body)


def parts(v: Value) -> Iterator[Any]:
    """Give the values, memories and variables that a value is made of."""
    for part in v.parts:
        if isinstance(part, tuple):
            yield from part
        else:
            yield part


def values(s: Statement) -> tuple[Value, ...]:
    """Give the values that a statement itself reads."""
    match s:
        case Let():
            return (s.value,)
        case Store():
            return s.place, s.value
        case For():
            return s.begin, s.extent
        case If():
            return (s.condition,)
        case Run():
            return tuple(o for o in s.operands if isinstance(o, Value))
    return ()


def with_parts(v: Value, change: Change) -> Value:
    """Give the operation on changed values; what does not change stays the same object."""
    new = tuple(_changed(part, change) for part in v.parts)
    return v if new == v.parts else replace(v, parts=new)


def with_values(s: Statement, change: Change) -> Statement:
    """Give the statement with the values that it reads itself changed, in the order of ``values``."""
    match s:
        case Let():
            return replace(s, value=change(s.value))
        case Store():
            return replace(s, place=change(s.place), value=change(s.value))
        case For():
            return replace(s, begin=change(s.begin), extent=change(s.extent))
        case If():
            return replace(s, condition=change(s.condition))
        case Run():
            return replace(s, operands=tuple(change(o) if isinstance(o, Value) else o for o in s.operands))
    return s


def _changed(part: Any, change: Change) -> Any:
    if isinstance(part, tuple):
        return tuple(_changed(p, change) for p in part)
    return change(part) if isinstance(part, Value) else part
