"""Everything that Gatewright can complain about: what is wrong, where, and what to try."""

from collections.abc import Iterable
from difflib import get_close_matches


class GatewrightError(Exception):
    """A problem that the user can fix.

    ``what`` is one sentence, ``where`` names the file, layer or key it is about, ``hint`` says what to try.
    """

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        self.what, self.where, self.hint = what, where, hint
        super().__init__(what, where, hint)

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.what}" + (f"\n  try: {self.hint}" if self.hint else "")


class FileError(GatewrightError):
    """A file is missing, damaged, of the wrong kind or not safe to read."""


class UnsupportedError(GatewrightError):
    """Something that the source says (a layer, an operator, an attribute) or a target needs is not supported."""


class ShapeError(GatewrightError):
    """Operands do not fit together, or samples do not fit the model."""


class RangeError(GatewrightError):
    """A value would need more bits than the integer graph has (64)."""


class OptionError(GatewrightError):
    """An option, a board or a configuration key is not one that exists, or has a value that makes no sense."""


class ManyErrors(GatewrightError):  # noqa: N818 - the collection of several errors, printed one after the other
    """Several problems found in one go; ``errors`` holds them."""

    def __init__(self, errors: Iterable[GatewrightError]) -> None:
        self.errors = tuple(errors)
        super().__init__(f"{len(self.errors)} problems")

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)


def unknown(kind: str, name: str, known: Iterable[str], *, where: str = "") -> OptionError:
    """Give the error for a misspelt board, option or key, with the near miss."""
    known = sorted(known)
    close = get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
    return OptionError(f"no {kind} called {name!r}", where=where, hint=hint)
