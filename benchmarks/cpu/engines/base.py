"""What the benchmark asks of an engine."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from numpy.typing import NDArray

Run = Callable[[], object]


class Skip(Exception):  # noqa: N818
    """An engine cannot run a network; the message says why."""


class Engine(ABC):
    """One engine with one network loaded."""

    name: ClassVar[str]
    package: ClassVar[str] = ""
    """The distribution that it comes in."""
    reads: ClassVar[tuple[str, ...]]
    """Suffixes of the files that it reads."""

    def readable(self, files: Sequence[Path]) -> list[Path]:
        """The files that it reads, or ``Skip``."""
        found = [path for path in files if path.suffix in self.reads]
        if not found:
            raise Skip(f"no {' or '.join(self.reads)} file of this network")
        return found

    @abstractmethod
    def load(self, path: Path, threads: int) -> Run:
        """Read a file and give what runs one inference on drawn inputs that are in place already."""

    @abstractmethod
    def outputs(self) -> list[NDArray[Any]]:
        """The outputs of the last inference."""
