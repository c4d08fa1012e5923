"""What a user chooses of a project, looked at before any work is done."""

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from .boards import Board
from .frontend.attributes import raise_all
from .graph import GatewrightError, unknown
from .lowering import Config

if TYPE_CHECKING:
    from .backends.hls4ml import Options

FORMS = ("asm", "llvm-ir")
"""Texts of a processor's kernels that can be asked for."""


@dataclass(frozen=True)
class FirmwareChoices:
    """The options of firmware as a user writes them: what the arena is planned for (fastest, smallest, bytes), and the
    kinds of project with commas between (cmake, zephyr, arduino, platformio, bare).
    """

    memory: str | int | None = None
    project: str | None = None

    def check(self) -> None:
        """Raise OptionError for a choice that does not exist."""
        if self.memory is not None:
            from .backends.firmware import parse

            parse(self.memory)
        _ = self.kinds

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of project."""
        if self.project is None:
            return ("cmake",)
        from .backends.firmware.projects import kinds_of

        return kinds_of(self.project)

    def without_effect(self, board: Board) -> list[str]:
        """Say which choices change nothing on a board that takes no firmware."""
        if board.compiler is not None and board.compiler.kind == "c":
            return []
        return [f"{name}: no effect on {board.name}, which takes no firmware" for name in self.as_dict()]

    def as_dict(self) -> dict[str, Any]:
        """Give what was chosen, as the manifest has it."""
        return {k: str(v) for k, v in asdict(self).items() if v is not None}


@dataclass(frozen=True)
class LibraryChoices:
    """What a user chooses of a library for a processor. ``emit``: texts of the kernels to put beside them."""

    emit: tuple[str, ...] = ()

    def check(self) -> None:
        """Raise OptionError for what does not exist on any board."""
        for form in self.emit:
            if form not in FORMS:
                raise unknown("form of the kernels", form, FORMS)

    def without_effect(self, board: Board) -> list[str]:
        """Say which choices change nothing on a board that takes no library."""
        takes = board.compiler is not None and board.compiler.kind == "llvm"
        return [f"emit: no effect on {board.name}, which takes no library"] if self.emit and not takes else []


@dataclass(frozen=True)
class Choices:
    """The options of the HLS project as a user writes them; None leaves a choice to the board or to hls4ml.

    ``clock_ns``: the clock's period in nanoseconds.
    """

    hls: str | None = None
    io: str | None = None
    strategy: str | None = None
    reuse_factor: int | None = None
    clock_ns: float | None = None
    types: str = "lean"

    def check(self) -> None:
        """Raise OptionError for a choice that does not exist on any board, ManyErrors for several."""
        from .backends.hls4ml import Options

        given = {("tool" if k == "hls" else k): v for k, v in asdict(self).items() if v is not None}
        errors: list[GatewrightError] = []
        for one in ({key: value} for key, value in given.items()):
            try:
                Options("", **one)
            except GatewrightError as error:
                errors.append(error)
        raise_all(errors)
        Options("", **given)

    def options(self, board: Board, settings: Config) -> "Options":
        """Give the back end's options for a board: what is chosen here, else what the configuration says.

        Raises OptionError for what the board cannot have.
        """
        from .backends.hls4ml import make_options

        own = {name: value for name, value in asdict(self).items() if value is not None}
        return make_options(board, settings.rules, **{**settings.project, **own})

    def without_effect(self, board: Board) -> list[str]:
        """Say which choices change nothing on a board that takes no HLS project."""
        names = ", ".join(f.name for f in fields(self) if getattr(self, f.name) != f.default)
        return [f"{names}: no effect on {board.name}, which takes no HLS project"] if names else []

    def as_dict(self) -> dict[str, Any]:
        """Give the choices under the names that a user writes."""
        return asdict(self)
