"""What a fuzzer is: it draws recipes, runs them, and says how to make one smaller. See docs/testing.md."""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from typing import Any
from zlib import crc32

import numpy as np

from gatewright.graph import GatewrightError, ManyErrors

Recipe = dict[str, Any]
"""Plain JSON: which layers with which attributes, shapes, seeds of weights. All that a case needs."""


@dataclass(frozen=True)
class Right:
    """The numbers are those of the reference. ``note`` is counted like a reason: what was special about it."""

    note: str = ""


@dataclass(frozen=True)
class Refused:
    """Gatewright refused with a typed error; ``reason`` is counted."""

    reason: str


Outcome = Right | Refused


class Wrong(Exception):  # noqa: N818 - an outcome
    """A number differs from the reference, beyond what the comparison allows."""


class Unusable(Exception):  # noqa: N818 - an outcome
    """The recipe is none that the framework itself accepts, so it says nothing about Gatewright."""


class Fuzzer(ABC):
    """One front end or back end against its reference.

    ``name``: for ``--only``. ``needs``: packages without which it is skipped. ``live``: whether it belongs to the live
    tests (its framework is slow to import, or not installed everywhere). ``limit_s``: the longest that one recipe
    may take. Nothing heavy is imported before ``start``.
    """

    name: str = ""
    needs: Sequence[str] = ()
    live: bool = True
    limit_s: float = 60.0

    def start(self) -> None:  # noqa: B027 - most need nothing
        """Import the framework; once in each process."""

    def limit(self) -> None:  # noqa: B027 - most need none
        """Restrict the process in which recipes run; after ``start``, never in the process of the tests."""

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> Recipe:
        """Draw a recipe, without the framework; all of it follows from ``rng``."""

    @abstractmethod
    def run(self, recipe: Recipe) -> Outcome | Sequence[Outcome]:
        """Build what the recipe says, load or compile it with Gatewright, compare with the reference.

        Several outcomes where a recipe holds several cases. Raises Wrong for a difference, Unusable where the
        framework does not accept the recipe. A GatewrightError that leaves is a refusal; any other exception a crash.
        """

    def smaller(self, recipe: Recipe) -> Iterator[Recipe]:
        """Give simpler recipes, the boldest first: any of them may be Unusable."""
        from .shrink import smaller

        yield from smaller(recipe)

    def tell(self, recipe: Recipe) -> str:
        """Say in words what a recipe is, for the report."""
        return json.dumps(recipe)

    @property
    def missing(self) -> list[str]:
        """The packages that are not installed."""
        return [package for package in self.needs if find_spec(package) is None]


def outcome_of(fuzzer: Fuzzer, recipe: Recipe) -> list[Outcome]:
    """Run one recipe; a refusal that was raised becomes an outcome."""
    try:
        found = fuzzer.run(recipe)
    except GatewrightError as error:
        return [Refused(reason_of(error))]
    return [found] if isinstance(found, (Right, Refused)) else list(found)


def reason_of(error: GatewrightError) -> str:
    """Give the kind of an error and what it says, without the names and numbers that differ from case to case."""
    what = error.errors[0].what if isinstance(error, ManyErrors) and error.errors else error.what
    return f"{type(error).__name__}: {general(what)}"


def general(text: str) -> str:
    """Leave out numbers and quoted names, so that equal problems have equal texts."""
    text = re.sub(r"'[^']*'|#[0-9a-f]{12}", "'...'", text.splitlines()[0] if text else "")
    return re.sub(r"-?\d+(\.\d+)?(e[+-]?\d+)?", "N", text)[:160]


def generator(fuzzer: Fuzzer, seed: int, number: int) -> np.random.Generator:
    """Give the generator of one case: the same on every machine, whatever other cases are run."""
    return np.random.default_rng([seed, crc32(fuzzer.name.encode()), number])


def fuzzers() -> dict[str, Fuzzer]:
    """Collect every fuzzer: ``FUZZERS`` of the modules in ``fuzzers/``."""
    package = f"{__package__}.fuzzers"
    found: dict[str, Fuzzer] = {}
    for module in sorted(m.name for m in iter_modules([str(Path(__file__).parent / "fuzzers")])):
        for fuzzer in import_module(f"{package}.{module}").FUZZERS:
            assert fuzzer.name not in found, fuzzer.name
            found[fuzzer.name] = fuzzer
    return found
