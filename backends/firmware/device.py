"""The image of a project on an emulated core: outputs, and every instruction by layer."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from ...boards import Board
from ...graph import FileError, GatewrightError, NDArray
from .build import machine_in

if TYPE_CHECKING:
    from .emulator import Emulator, Image, Mix

WATCHED = 40_000_000
"""Instructions that may run with caches simulated, some ten seconds."""
BUDGET = 400_000_000
"""Instructions that a proof spends on an emulated core, a few seconds."""
RUNS_OF_SELFTEST = 8
"""Inferences that a self-test takes, for networks of one instruction a product: four, and the checksums."""
MOST = 4
"""Vectors that it is given at most."""


@dataclass(frozen=True)
class LayerCount:
    """What a layer ran in one inference: ``instructions``, with all that it calls."""

    name: str
    symbol: str
    macs: int
    instructions: int


class Device:
    """A project's image, loaded into an emulated core of its kind."""

    def __init__(self, project: Mapping[str, bytes], description: Mapping[str, Any]) -> None:
        from .emulator import Emulator, FaultError, Image

        name = description["name"]
        path = f"image/{name}.elf"
        if path not in project:
            raise FileError("is not there", where=path, hint="compile again")
        self.description = description
        self.core = core_in(description)
        image = Image.read(project[path], where=path)
        try:
            layer = self._wrong(image)
        except FaultError as error:
            raise FileError(f"the image's self-test stops: {error}", where=path, hint="compile again") from None
        if layer is not None:
            raise FileError(f"the image's self-test fails at {layer}", where=path, hint="compile again")
        self._emulator = Emulator(image, self.core)
        self.inferences = 0
        self._first: list[tuple[int, bytes]] = []
        self._outside = 0
        self.begin()
        self._emulator.clear()
        self._outside = 0

    def begin(self) -> None:
        """Set the states to what they begin with."""
        before = self._emulator.counts().instructions
        self._emulator.call(f"{self.description['name']}_init")
        self._outside += self._emulator.counts().instructions - before

    def _wrong(self, image: "Image") -> str | None:
        """Let an image test itself, where there is time; name the layer that is wrong."""
        from .emulator import Emulator

        if not has_time(self.description):
            return None
        return wrong_at(self.description, Emulator(image, self.core).call(f"{self.description['name']}_selftest"))

    @property
    def engine(self) -> str:
        """Name it for reports."""
        return f"firmware on an emulated {self.core.name}"

    @property
    def counted(self) -> str:
        """Say who counted its instructions."""
        return f"counted on an emulated {self.core.name}"

    def run(self, inputs: Sequence[NDArray]) -> tuple[list[NDArray], int]:
        """Run once on stored numbers [*shape] an input; give the outputs and the network's status."""
        d, device = self.description, self._emulator
        arena = device.image.symbol(f"{d['name']}_arena").address
        given = [
            (arena + port["offset"], np.ascontiguousarray(values.astype(port["type"])).tobytes())
            for port, values in zip(d["inputs"], inputs, strict=True)
        ]
        self._first = self._first or given
        _fill(device, given)
        status = device.call(f"{d['name']}_run")
        self.inferences += 1
        outputs = []
        for port in d["outputs"]:
            outputs.append(port_array(port, device.read(arena + port["offset"], port_bytes(port))))
        return outputs, int(status)

    @property
    def instructions(self) -> int:
        """Instructions of one inference, on average."""
        return round((self._emulator.counts().instructions - self._outside) / max(self.inferences, 1))

    @property
    def stack_bytes(self) -> int:
        """Bytes of stack that were written."""
        return self._emulator.stack_bytes

    @property
    def stack_bound(self) -> int:
        """Bytes of stack that a run takes at most, by the call graph."""
        from .emulator import stack_bound

        return stack_bound(self._emulator.image, f"{self.description['name']}_run", self.core).bytes

    def layers(self) -> list[LayerCount]:
        """Give what each layer ran in one inference, on average, in order."""
        functions, runs = self._emulator.counts().functions, max(self.inferences, 1)
        return layer_counts(self.description, {name: found.inclusive / runs for name, found in functions.items()})

    def mixes(self) -> list["Mix"]:
        """Count what each step runs in the first inference, by class of instruction; the few that choose it too."""
        from .emulator import Emulator

        name, found = self.description["name"], []
        device = Emulator(self._emulator.image, self.core)
        device.call(f"{name}_init")
        _fill(device, self._first)
        for step in range(len(self.description["layers"])):
            device.clear()
            device.call(f"{name}_step", step)
            found.append(device.counts().mix)
        return found

    def warm_mix(self, board: Board) -> "Mix":
        """Count one inference on a board's own memories, its caches warm: what the time is estimated from.

        Where instructions are many, caches stay cold, or are not simulated.
        """
        from .emulator import Emulator

        name, once = self.description["name"], self.instructions
        device = Emulator(self._emulator.image, board=board, caches=once <= WATCHED)
        device.call(f"{name}_init")
        for _ in range(2 if 2 * once <= WATCHED else 1):
            _fill(device, self._first)  # a run leaves other numbers there, which may be none of the input's format
            device.clear()
            device.call(f"{name}_run")
        return device.counts().mix


def _fill(device: "Emulator", inputs: Sequence[tuple[int, bytes]]) -> None:
    """Write inputs to their addresses."""
    for address, data in inputs:
        device.write(address, data)


def layer_counts(description: Mapping[str, Any], instructions: Mapping[str, float]) -> list[LayerCount]:
    """Give what each layer of a project ran, in order, from what its functions did (one that is not there: nothing);
    layers that share a function, a part each.
    """
    layers = description["layers"]
    shared = Counter(layer["symbol"] for layer in layers)
    return [
        LayerCount(
            layer["name"], layer["symbol"], layer["macs"],
            round(instructions.get(layer["symbol"], 0) / shared[layer["symbol"]]),
        )
        for layer in layers
    ]  # fmt: skip


def port_bytes(port: Mapping[str, Any]) -> int:
    """Bytes of an input or output in the arena."""
    return int(np.prod(port["shape"], dtype=np.int64)) * int(np.dtype(port["type"]).itemsize)


def port_array(port: Mapping[str, Any], raw: bytes) -> NDArray:
    """Read an output from its bytes: stored numbers [*shape]."""
    found: NDArray = np.frombuffer(raw, port["type"]).reshape(port["shape"]).copy()
    return found


def has_time(description: Mapping[str, Any]) -> bool:
    """Whether a project's self-test takes no more than a proof may."""
    return RUNS_OF_SELFTEST * sum(int(layer["macs"]) for layer in description["layers"]) <= BUDGET


def wrong_at(description: Mapping[str, Any], code: int) -> str | None:
    """Name the layer that a self-test's code means; None where it passed."""
    layers = description["layers"]
    if code == 0:
        return None
    return str(layers[code - 1]["name"]) if 0 < code <= len(layers) else "the outputs"


def core_in(description: Mapping[str, Any]) -> Any:
    """Give the emulated core of a project. Raises OptionError, UnsupportedError where there is none."""
    from ...boards.model import Compiler
    from .emulator import core_for

    m = machine_in(description)
    return core_for(Compiler(kind="c", triple=m.triple, cpu=m.cpu, features=m.features, abi=m.abi, vector_bits=0))


def why_not(project: Mapping[str, bytes], description: Mapping[str, Any]) -> str | None:
    """Say why a project does not run on an emulated core; None where it does."""
    from .emulator import find_qemu

    if f"image/{description['name']}.elf" not in project:
        return "the project has no image"
    try:
        core = core_in(description)
    except GatewrightError as error:
        return error.what
    if not core.model:
        return None if find_qemu(core) else f"unicorn has no {core.name}, and QEMU, which has, is not installed"
    if find_spec("unicorn") is None:
        return "unicorn, which emulates cores, is not installed (pip install 'gatewright[firmware]')"
    return None
