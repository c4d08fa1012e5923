"""Every trial on disk as it happens, so that a tuning that was stopped, in whatever way, goes on."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from ....graph import FileError
from ...loops.schedule import Tile
from .result import read_tile


@dataclass(frozen=True)
class Trial:
    """A layer with a tile: its time as a share of that with the formula's tile, or why there is none."""

    layer: str
    tile: Tile
    ratio: float | None
    reason: str = ""


class Journal:
    """Trials of one network on one device, one JSON document a line in a file; trials of others stand there too.

    ``key`` stands for the kernels' texts and the device: figures of others are of no use. Without a file they are kept
    in memory.
    """

    def __init__(self, file: Path | None, key: str) -> None:
        self.file, self.key = file, key
        self.trials: list[Trial] = []
        if file is not None and file.exists():
            self.trials = self._read(file)

    def _read(self, file: Path) -> list[Trial]:
        try:
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError as error:
            raise FileError(f"cannot read: {error.strerror}", where=str(file)) from None
        found: dict[tuple[str, Tile], Trial] = {}
        for line in lines:
            if (trial := self._trial(line)) is not None:
                found[trial.layer, trial.tile] = trial
        return list(found.values())

    def _trial(self, line: str) -> Trial | None:
        """Read a line; None for what another network's, or damaged: the last line of one that was killed may be."""
        try:
            entry = json.loads(line)
            if entry["key"] != self.key:
                return None
            ratio = None if entry["ratio"] is None else float(entry["ratio"])
            return Trial(str(entry["layer"]), read_tile(entry["tile"]), ratio, str(entry["reason"]))
        except (ValueError, KeyError, TypeError):
            return None

    def add(self, trials: list[Trial]) -> None:
        """Keep trials. Raises FileError where they cannot be written."""
        self.trials += trials
        if self.file is None or not trials:
            return
        lines = [json.dumps({"key": self.key, **asdict(trial)}) + "\n" for trial in trials]
        try:
            torn = self.file.exists() and self.file.stat().st_size and not self.file.read_bytes().endswith(b"\n")
            with self.file.open("a", encoding="utf-8") as stream:
                stream.write(("\n" if torn else "") + "".join(lines))
        except OSError as error:
            raise FileError(f"cannot write: {error.strerror}", where=str(self.file)) from None
