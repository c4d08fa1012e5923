"""What a user chooses of a project, looked at before any work is done."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from .boards import Board
from .frontend.attributes import raise_all
from .graph import GatewrightError, OptionError, unknown
from .lowering import Config, check_short

if TYPE_CHECKING:
    from .backends.hls4ml import Options

FORMS = ("asm", "llvm-ir")
"""Texts of a processor's kernels that can be asked for."""
HLS_KEYS = ("io", "strategy", "reuse_factor", "clock_ns", "hls")
"""What a configuration says of an HLS project."""


@dataclass(frozen=True)
class FirmwareChoices:
    """The options of firmware as a user writes them: what the arena is planned for (fastest, smallest, bytes), the
    kinds of project with commas between (cmake, zephyr, arduino, platformio, bare), how narrow weights are stored
    (packed, bytes), and what the code is to be (fastest, smallest).
    """

    memory: str | int | None = None
    project: str | None = None
    weight_storage: str | None = None
    code: str | None = None

    def check(self) -> None:
        """Raise OptionError for a choice that does not exist."""
        if self.memory is not None:
            from .backends.firmware import parse

            parse(self.memory)
        if self.weight_storage is not None:
            from .backends.firmware import storage

            storage(self.weight_storage)
        if self.code is not None:
            from .backends.firmware import CODE

            if self.code not in CODE:
                raise unknown("code", str(self.code), CODE)
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


def _configured(where: str, values: Mapping[str, Any]) -> str:
    """Name the keys of a part of the configuration that only an HLS project reads; "" where there is none."""
    keys = [key for key in values if key in HLS_KEYS]
    return f"{where}: {', '.join(keys)}" if keys else ""


@dataclass(frozen=True)
class LibraryChoices:
    """What a user chooses of a library for a processor. ``emit``: texts of the kernels to put beside them;
    ``integer_only``: whether to compute in integers what the model leaves in floating point; ``float_format``: what its
    floats are kept in ("fp16", "bf16").
    """

    emit: tuple[str, ...] = ()
    integer_only: bool = False
    float_format: str | None = None

    def check(self, board: Board) -> None:
        """Raise OptionError for what does not exist on any board, and for floats where a board has none."""
        for form in self.emit:
            if form not in FORMS:
                raise unknown("form of the kernels", form, FORMS)
        check_short(self.float_format)
        if self.float_format is not None and (self.integer_only or board.kind in ("fpga", "mcu")):
            where = "integer_only" if self.integer_only else board.name
            hint = "leave float_format out, or take a board of kind cpu, phone or gpu"
            raise OptionError(f"floats in {self.float_format}, where everything is integers", where=where, hint=hint)

    def check_used(self, floats: bool) -> None:
        """Raise OptionError where a format of floats is asked for, and a model or a precision has integers only."""
        if self.float_format is not None and not floats:
            hint = "leave float_format out, or precision and config"
            raise OptionError(f"floats in {self.float_format}: the network is computed in integers", hint=hint)

    def without_effect(self, board: Board) -> list[str]:
        """Say which choices change nothing on a board that takes no library, or has no floats."""
        told = []
        if self.emit and (board.compiler is None or board.compiler.kind != "llvm"):
            told.append(f"emit: no effect on {board.name}, which takes no library")
        if self.integer_only and board.kind in ("fpga", "mcu"):
            told.append(f"integer_only: no effect on {board.name}, whose projects have integers alone")
        return told


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

    def without_effect(self, board: Board, settings: Config | None = None, *, strict: bool = False) -> list[str]:
        """Say which choices, here and in the configuration, change nothing on a board that takes no HLS project."""
        own = [f.name for f in fields(self) if getattr(self, f.name) != f.default] + ["strict"] * strict
        told = [", ".join(own)]
        if settings is not None:
            told.append(_configured("configuration", settings.project))
            told += [_configured(f"configuration for {rule.pattern!r}", rule.values) for rule in settings.rules]
        return [f"{names}: no effect on {board.name}, which takes no HLS project" for names in told if names]

    def as_dict(self) -> dict[str, Any]:
        """Give the choices under the names that a user writes."""
        return asdict(self)
