"""How long simulating and sizing a streaming design takes: chains, ResNet-8's shape, a U-Net of a hundred layers.

    python benchmarks/stream.py            with the compiled walk
    python benchmarks/stream.py --plain    without a compiler: sweeps in numpy, then Python

Each row is one frame of a design, or four back to back: events (local cycles in which a process uses a FIFO), seconds,
events a second; then the seconds that the depths take.
"""

import argparse
import time
from collections.abc import Sequence

import numpy as np

from gatewright.simulation.stream import Fifo, Network, Process, deadlock_free, simulate, solve, stall_free


class Build:
    """A design, layer by layer; a pixel is a pack, FIFOs hold a whole tensor."""

    def __init__(self, side: int) -> None:
        self.side = side
        self.processes: list[Process] = []
        self.fifos: list[Fifo] = []

    def fifo(self, packs: int, width: int = 128) -> str:
        """Add a FIFO."""
        self.fifos.append(Fifo(f"f{len(self.fifos)}", packs, width))
        return self.fifos[-1].name

    def process(self, reads: Sequence[str], takes: "np.ndarray", gives: "np.ndarray", copies: int = 1) -> list[str]:
        """Add a process that reads in the cycles ``takes`` and writes in ``gives``."""
        written = [self.fifo(gives.size) for _ in range(copies)]
        length = int(max([0, *takes[-1:], *gives[-1:]])) + 1
        name = f"p{len(self.processes)}"
        self.processes.append(Process(name, length, dict.fromkeys(reads, takes), dict.fromkeys(written, gives)))
        return written

    def conv(self, source: str, interval: int = 1, stride: int = 1) -> str:
        """A 3x3 convolution: the first pixel leaves when a row and two pixels are there."""
        side = self.side
        takes = np.arange(side * side) * interval
        places = np.arange(0, side, stride)
        gives = (places[:, None] * side + places).reshape(-1) * interval + (side + 2) * interval
        self.side = places.size
        return self.process([source], takes, gives)[0]

    def copy(self, source: str) -> list[str]:
        """Two copies."""
        every = np.arange(self.side**2)
        return self.process([source], every, every + 1, copies=2)

    def join(self, one: str, other: str) -> str:
        """Add or concatenate."""
        every = np.arange(self.side**2)
        return self.process([one, other], every, every + 3)[0]

    def up(self, source: str) -> str:
        """Resize by two: read a row, write it twice."""
        rows = np.arange(self.side)[:, None] * 5 * self.side
        takes = (rows + np.arange(self.side)).reshape(-1)
        gives = (rows + self.side + np.arange(4 * self.side)).reshape(-1)
        self.side *= 2
        return self.process([source], takes, gives)[0]

    def source(self) -> str:
        """The test bench."""
        return self.process([], np.zeros(0, np.int64), np.arange(self.side**2))[0]

    def network(self, last: str) -> Network:
        """Close the design with a sink."""
        every = np.arange(self.side**2)
        sink = Process("sink", every.size, {last: every}, {})
        return Network((*self.processes, sink), tuple(self.fifos))


def chain(layers: int, side: int) -> Network:
    """Convolutions in a row."""
    build = Build(side)
    here = build.source()
    for _ in range(layers):
        here = build.conv(here)
    return build.network(here)


def resnet8() -> Network:
    """Three residual blocks on 32x32, the slower the deeper."""
    build = Build(32)
    here = build.conv(build.source())
    for stride, interval in ((1, 1), (2, 4), (2, 16)):
        left, right = build.copy(here)
        side = build.side
        left = build.conv(build.conv(left, interval, stride), interval)
        if stride > 1:
            build.side = side
            right = build.conv(right, interval, stride)
        here = build.join(left, right)
    return build.network(here)


def unet(side: int = 256, levels: int = 4, convolutions: int = 10) -> Network:
    """Down and up again with skips."""
    build = Build(side)
    here, skips = build.source(), []
    for level in range(2 * levels + 1):
        for _ in range(convolutions):
            here = build.conv(here)
        if level < levels:
            skip, here = build.copy(here)
            skips.append(skip)
            here = build.conv(here, stride=2)
        elif skips:
            here = build.join(build.up(here), skips.pop())
    return build.network(here)


def timed(name: str, network: Network, frames: int) -> None:
    """Print a row."""
    start = time.perf_counter()
    run = simulate(network, frames)
    seconds = time.perf_counter() - start
    events = sum(e.size for e in run.events.values())
    speed = events / seconds / 1e6
    print(f"  {name:<24} {frames} frames {events:>11,} events {seconds:8.3f} s {speed:7.1f} M/s", flush=True)


def main() -> None:
    """Print all rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plain", action="store_true", help="as without a compiler")
    parser.add_argument("--side", type=int, default=256, help="rows and columns of the U-Net's image")
    options = parser.parse_args()
    if options.plain:
        solve._library = lambda: None  # type: ignore[assignment]
    else:
        solve._library()
    for name, network in (("chain", chain(20, 64)), ("ResNet-8", resnet8()), ("U-Net", unet(options.side))):
        print(f"{name}: {len(network.processes)} processes, {len(network.fifos)} FIFOs")
        for frames in (1, 4):
            timed("whole tensors", network, frames)
        start = time.perf_counter()
        least = deadlock_free(network, certify=False)
        print(f"  deadlock-free depths in {time.perf_counter() - start:.1f} s", flush=True)
        timed("deadlock-free depths", network.with_depths(least.depths), 1)
        start = time.perf_counter()
        free = stall_free(network, certify=False)
        print(f"  stall-free depths in {time.perf_counter() - start:.1f} s", flush=True)
        timed("stall-free depths", network.with_depths(free.depths), 1)


if __name__ == "__main__":
    main()
