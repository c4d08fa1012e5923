"""What an operator reads and gives: tensors that depend on an input, constants, and what is neither."""

from collections.abc import Sequence
from dataclasses import dataclass

from ...graph import NDArray, Node
from ...graph.arrays import Grid
from ...graph.numerics import Ratio


@dataclass(frozen=True, eq=False)
class Flow:
    """A tensor that depends on an input of the model.

    ``node`` leaves out axis 0, the batch, where ``lead`` is 1; all axes are there where it is 0 (the model has no
    batch, or the tensor is the same for every sample). ``type`` is the source's element type, as numpy names it.
    """

    node: Node
    type: str = "float32"
    lead: int = 1

    @property
    def rank(self) -> int:
        """The rank in the source, the batch included."""
        return len(self.node.shape) + self.lead


@dataclass(frozen=True, eq=False)
class Known:
    """A tensor that depends on no input's values, as the source has it (with the batch axis, where it has one).

    Where the batch is open, arithmetic on shapes may depend on its length: then there is one variant for each length
    that is tried (``Batch.lengths``); else there is one.
    """

    variants: tuple[NDArray, ...]

    @staticmethod
    def of(*variants: NDArray) -> "Known":
        """Make one variant of several that are equal."""
        first = variants[0]
        same = all(
            v.dtype == first.dtype and v.shape == first.shape and v.tobytes() == first.tobytes() for v in variants
        )
        return Known((first,) if same else variants)


@dataclass(frozen=True, eq=False)
class Scaled(Known):
    """Constant integers with a scale and a zero point: ``scale * (stored - zero)``, of which ``variants`` has float32.

    ``scale`` (float64, exact) and ``zero`` broadcast to ``stored``. What does not care for them reads the variant.
    """

    stored: NDArray
    scale: NDArray
    zero: NDArray


@dataclass(frozen=True, eq=False)
class Coded:
    """A tensor of small integers that depends on an input: its numbers are ``node / scale + zero``.

    ``dtype`` is ONNX's name of the type (int8). Operators on numbers do not see it: see ``Call.coded``.
    """

    node: Node
    dtype: str
    scale: Ratio
    zero: int | Grid
    lead: int = 1

    @property
    def rank(self) -> int:
        """The rank in the source, the batch included."""
        return len(self.node.shape) + self.lead


@dataclass(frozen=True)
class Absent:
    """An output of an operator that is not computed; reading it is an error that says ``why``."""

    why: str


@dataclass(frozen=True, eq=False)
class Moved:
    """A tensor of which another axis than 0 is the batch: ``axis`` of the source; ``node`` leaves it out."""

    node: Node
    type: str
    axis: int

    @property
    def rank(self) -> int:
        """The rank in the source, the batch included."""
        return len(self.node.shape) + 1


@dataclass(frozen=True, eq=False)
class Many:
    """A sequence of tensors, all of which are there at import."""

    items: tuple["Value", ...]


Value = Flow | Known | Coded | Absent | Moved | Many
Results = Node | Value | Sequence[Node | Value]


@dataclass(frozen=True)
class Batch:
    """The lengths that axis 0 is taken to have: the model's, else two primes, to tell it from other numbers.

    There is none where a sample is the whole of each tensor (``NO_BATCH``).
    """

    lengths: tuple[int, ...]

    @property
    def is_open(self) -> bool:
        """Whether the model leaves the length open."""
        return len(self.lengths) > 1


OPEN_BATCH = Batch((1009, 1013))
NO_BATCH = Batch(())
