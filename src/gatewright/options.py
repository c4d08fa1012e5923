"""What a user chooses of the HLS project, looked at before any work is done."""

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from .boards import Board
from .lowering import Config

if TYPE_CHECKING:
    from .backends.hls4ml import Options


@dataclass(frozen=True)
class Choices:
    """The options of the HLS project as a user writes them; None leaves a choice to the board or to hls4ml.

    ``clock_ns``: the clock's period in nanoseconds.
    """

    hls: str = "vitis"
    io: str = "parallel"
    strategy: str | None = None
    reuse_factor: int | None = None
    clock_ns: float | None = None
    types: str = "lean"

    def check(self) -> None:
        """Raise OptionError for a choice that does not exist on any board."""
        from .backends.hls4ml import Options

        period = Options.clock_ns if self.clock_ns is None else self.clock_ns
        Options("", period, self.hls, self.io, self.strategy, self.reuse_factor, self.types)

    def options(self, board: Board, settings: Config) -> "Options":
        """Give the back end's options for a board. Raises OptionError for what the board cannot have."""
        from .backends.hls4ml import make_options

        return make_options(board, settings.rules, **asdict(self))

    def without_effect(self, board: Board) -> list[str]:
        """Say which choices change nothing on a board that takes no HLS project."""
        names = ", ".join(f.name for f in fields(self) if getattr(self, f.name) != f.default)
        return [f"{names}: no effect on {board.name}, which takes no HLS project"] if names else []

    def as_dict(self) -> dict[str, Any]:
        """Give the choices under the names that a user writes."""
        return asdict(self)
