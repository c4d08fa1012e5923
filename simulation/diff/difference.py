"""What a comparison found: figures for each tensor, the first that differs, the worst."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf, isfinite
from typing import Any

import numpy as np

from ...graph import NDArray, Node

SHARE = 0.98
"""Where one channel holds so much of the error, it is named although others differ a little as well."""


@dataclass(frozen=True)
class Statistics:
    """How far a tensor is from its reference, over all samples.

    ``largest``: of the absolute differences. ``mse``: the mean of their squares. ``snr_db``: 10 log10 of the
    reference's power over the error's; infinite where nothing differs. ``cosine``: of the angle between the two.
    ``differing``: the share of elements that are not equal.
    """

    largest: float
    mse: float
    snr_db: float
    cosine: float
    differing: float

    @classmethod
    def of(cls, reference: NDArray, found: NDArray) -> "Statistics":
        """Compare real values [samples, *shape]."""
        a, b = (np.asarray(v, np.float64).ravel() for v in np.broadcast_arrays(reference, found))
        error = b - a
        signal, noise = float(np.mean(a * a)), float(np.mean(error * error))
        snr = inf if noise == 0 else -inf if signal == 0 else float(10 * np.log10(signal / noise))
        norm = float(np.linalg.norm(a) * np.linalg.norm(b))
        same = 1.0 if noise == 0 else 0.0
        cosine = float(np.dot(a, b) / norm) if norm > 0 else same
        return cls(float(np.abs(error).max(initial=0.0)), noise, snr, cosine, float(np.mean(error != 0)))

    def as_dict(self) -> dict[str, float | None]:
        """Give plain values for JSON, in which infinite is null."""
        finite = {k: v if isfinite(v) else None for k, v in vars(self).items()}
        return {k: None if v is None else float(f"{v:.6g}") for k, v in finite.items()}


@dataclass(frozen=True, eq=False)
class Cut:
    """Operations cut out of a graph: ``nodes`` in order, the last one gives the tensor; ``operands``: what they read,
    as stored numbers of one sample [1, *shape].
    """

    nodes: tuple[Node, ...]
    operands: Mapping[Node, NDArray]


@dataclass(frozen=True, eq=False)
class TensorDifference:
    """One tensor of B beside the tensor of A that it stands for.

    ``total`` is what a run of each gives: all that was inherited, too. ``introduced`` is what this tensor adds: B's
    operations on A's inputs, against A. ``excess``: the introduced error in units of what rounding explains (weights,
    inputs and result in the formats that they have); ``inf`` where it should be exact and is not. ``differs``: whether
    it is beyond what is explained. ``channel``: the one index of the last axis that differs, if it is one.
    ``place``: the sample and the index of the largest introduced error, with both values. ``why``: what was found to be
    different about the operations.
    ``sides``: how A and B make it, on the sample of ``place`` (only where they differ).
    """

    name: str
    op: str
    reference: str
    shape: tuple[int, ...]
    formats: tuple[str, str]
    total: Statistics
    introduced: Statistics
    excess: float
    differs: bool
    channel: int | None = None
    place: tuple[int, ...] = ()
    values: tuple[float, float] = (0.0, 0.0)
    why: tuple[str, ...] = ()
    sides: tuple["Cut", "Cut"] | None = field(default=None, repr=False)

    def as_dict(self) -> dict[str, Any]:
        """Give plain values for JSON."""
        return {
            "name": self.name,
            "op": self.op,
            "reference": self.reference,
            "shape": list(self.shape),
            "formats": list(self.formats),
            "differs": self.differs,
            "excess": float(f"{self.excess:.6g}") if isfinite(self.excess) else None,
            "channel": self.channel,
            "place": list(self.place),
            "values": list(self.values),
            "why": list(self.why),
            "introduced": self.introduced.as_dict(),
            "total": self.total.as_dict(),
        }


@dataclass(frozen=True, eq=False)
class Difference:
    """``tensors`` in the order of B; ``first`` is the first that differs beyond what quantization explains (None: none
    does), ``worst`` the one that introduces the most.

    ``left_out``: names of tensors of B that stand for none of A: steps on the way to one that does.
    """

    tensors: tuple[TensorDifference, ...]
    left_out: tuple[str, ...] = ()
    samples: int = 0
    names: tuple[str, str] = ("A", "B")

    @property
    def first(self) -> TensorDifference | None:
        """The first tensor that differs."""
        return next((t for t in self.tensors if t.differs), None)

    @property
    def worst(self) -> TensorDifference | None:
        """The tensor that is furthest beyond what is explained."""
        found = [t for t in self.tensors if t.differs]
        return max(found, key=lambda t: (-t.introduced.snr_db, t.introduced.largest), default=None)

    def __bool__(self) -> bool:
        return self.first is not None

    def as_dict(self) -> dict[str, Any]:
        """Give plain values for JSON."""
        first, worst = self.first, self.worst
        return {
            "a": self.names[0],
            "b": self.names[1],
            "samples": self.samples,
            "status": "different" if self else "equal",
            "first": None if first is None else first.as_dict(),
            "worst": None if worst is None else worst.as_dict(),
            "tensors": [t.as_dict() for t in self.tensors],
            "left_out": list(self.left_out),
        }

    def __str__(self) -> str:
        first, worst = self.first, self.worst
        if first is None or worst is None:
            return f"no difference beyond quantization in {len(self.tensors)} tensors, {self.samples} samples"
        lines = [f"first: {_told(first)}", *(f"  {reason}" for reason in first.why)]
        return "\n".join([*lines, f"worst: {_told(worst)}"] if worst is not first else lines)


def _told(tensor: TensorDifference) -> str:
    channel = "" if tensor.channel is None else f", channel {tensor.channel}"
    by = "it should be exact" if not isfinite(tensor.excess) else f"{tensor.excess:.3g} times what rounding explains"
    figures = f"SNR {tensor.introduced.snr_db:.1f} dB, largest {tensor.introduced.largest:.4g}"
    return f"{tensor.name} ({tensor.op}{channel}): introduces {figures}; {by}"


def one_channel(shares: NDArray, flagged: NDArray) -> int | None:
    """Give the index of the one channel that differs: ``shares`` is the squared error of each, ``flagged`` whether it
    is beyond what is explained.
    """
    if len(shares) < 2 or not shares.any():
        return None
    if flagged.sum() == 1:
        return int(flagged.argmax())
    top = int(shares.argmax())
    return top if shares[top] > SHARE * shares.sum() else None
