"""Recipes for generators that ask for one thing after the other: the answers, as a list of numbers."""

from collections.abc import Sequence
from typing import Any

import numpy as np

LENGTH = 64


class Choices:
    """Answers questions from a list of numbers; when they are used up, with the first option.

    A model builder that asks ``pick(options)`` for everything is then described by the list, and a shorter list, or
    smaller numbers in it, describe a simpler model: put the simple options first.
    """

    def __init__(self, numbers: Sequence[int]) -> None:
        self.numbers, self.used, self.said = list(numbers), 0, []  # type: ignore[var-annotated]

    @staticmethod
    def draw(rng: np.random.Generator, length: int = LENGTH) -> list[int]:
        """Draw the numbers of a recipe."""
        return [int(n) for n in rng.integers(0, 1 << 16, length)]

    def pick(self, options: Sequence[Any]) -> Any:
        """Choose one of ``options``."""
        number = self.numbers[self.used] if self.used < len(self.numbers) else 0
        self.used += 1
        found = options[number % len(options)]
        self.said.append(found)
        return found

    __call__ = pick

    def whole(self, low: int, high: int) -> int:
        """Choose a whole number from ``low`` to ``high``."""
        return int(self.pick(range(low, high + 1)))
