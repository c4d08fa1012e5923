"""Make a failing recipe small: generic candidates for plain JSON, and the loop that tries them."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

from .core import Recipe

Try = Callable[[Recipe], bool]


def smaller(value: Any) -> Iterator[Any]:
    """Give simpler values: lists with fewer items, numbers nearer 0, then the same inside. The boldest first."""
    if isinstance(value, dict):
        for key, inner in value.items():
            for candidate in smaller(inner):
                yield {**value, key: candidate}
    elif isinstance(value, list):
        yield from _shorter(value)
        for i, inner in enumerate(value):
            for candidate in smaller(inner):
                yield [*value[:i], candidate, *value[i + 1 :]]
    elif isinstance(value, bool):
        if value:
            yield False
    elif isinstance(value, int):
        yield from _nearer(value)


def _shorter(value: list[Any]) -> Iterator[list[Any]]:
    size = len(value)
    step = size
    while step:
        for start in range(0, size, step):
            if step < size or size == 1:
                yield value[:start] + value[start + step :]
        step //= 2


def _nearer(value: int) -> Iterator[int]:
    tried = {value}
    for candidate in (0, 1, 2, value // 2, value - (value > 0) + (value < 0)):
        if abs(candidate) < abs(value) and candidate not in tried:
            tried.add(candidate)
            yield candidate


def shrink(recipe: Recipe, candidates: Callable[[Recipe], Iterator[Recipe]], fails: Try, seconds: float) -> Recipe:
    """Replace the recipe by a simpler one that still ``fails``, again and again, for up to ``seconds``."""
    end, seen = time.monotonic() + seconds, {json.dumps(recipe, sort_keys=True)}
    better = True
    while better:
        better = False
        for candidate in candidates(recipe):
            if time.monotonic() > end:
                return recipe
            key = json.dumps(candidate, sort_keys=True)
            if key in seen:
                continue
            seen.add(key)
            if fails(candidate):
                recipe, better = candidate, True
                break
    return recipe
