"""What a tuner found, and its file."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ....graph import FileError, OptionError
from ...loops.machine import Machine
from ...loops.schedule import Tile, Tiles
from ..emit import TUNING

SCHEMA = 1


@dataclass(frozen=True)
class Tuned:
    """A layer by its description, its tile, and its time as a share of that with the formula's tile."""

    layer: str
    tile: Tile
    ratio: float


@dataclass(frozen=True)
class Tuning:
    """``layers`` are those that got faster; the others keep the formula's tile.

    ``device``: where it was measured; ``trials``: tiles that were tried, of which ``failed`` crashed or could not be
    compiled; ``before_s`` and ``after_s``: seconds of one inference, with the formula's tiles and with these.
    """

    machine: Machine
    device: str
    trials: int
    failed: int
    before_s: float
    after_s: float
    layers: tuple[Tuned, ...]

    @property
    def tiles(self) -> Tiles:
        """The tiles by the description of a layer."""
        return {t.layer: t.tile for t in self.layers}

    def tiles_for(self, machine: Machine, where: str = TUNING) -> Tiles:
        """Give the tiles for a machine. Raises OptionError where they were found for another kind of machine."""
        if machine != self.machine:
            words = [" ".join([m.triple, m.cpu, *m.features, f"{m.vector_bits} bits"]) for m in (self.machine, machine)]
            what = f"was tuned for {words[0]}, this is {words[1]}"
            raise OptionError(what, where=where, hint="tune for this board, or compile without the file")
        return self.tiles

    def as_dict(self) -> dict[str, Any]:
        """Give it as JSON has it."""
        return {"schema": SCHEMA, **asdict(self)}

    def to_bytes(self) -> bytes:
        """Give the file's content."""
        return (json.dumps(self.as_dict(), indent=1, sort_keys=True) + "\n").encode()


def read_tuning(data: bytes, where: str = TUNING) -> Tuning:
    """Read a file. Raises FileError for what is none."""
    try:
        found = json.loads(data)
        if found["schema"] != SCHEMA:
            raise FileError(f"schema {found['schema']!r}, not {SCHEMA}", where=where, hint="tune again")
        return Tuning(
            _machine(found["machine"]), str(found["device"]), int(found["trials"]), int(found["failed"]),
            float(found["before_s"]), float(found["after_s"]),
            tuple(Tuned(str(t["layer"]), read_tile(t["tile"]), float(t["ratio"])) for t in found["layers"]),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FileError(f"is not what gatewright tune writes: {error!r}", where=where, hint="tune again") from None


def _machine(found: Mapping[str, Any]) -> Machine:
    features = tuple(str(f) for f in found["features"])
    return Machine(str(found["triple"]), str(found["cpu"]), features, int(found["vector_bits"]), str(found["abi"]))


def read_tile(found: Mapping[str, Any]) -> Tile:
    """Read a tile. Raises KeyError, TypeError or ValueError for what is none."""
    rows, vectors, lanes, windows = (int(found[name]) for name in ("rows", "vectors", "lanes", "windows"))
    return Tile(rows, vectors, lanes, bool(found["panels_outside"]), windows, bool(found["unit"]))
