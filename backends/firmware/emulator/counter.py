"""The hook that counts, compiled once for this machine and kept: Python would be called for every block otherwise."""

import ctypes
import os
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from ...zig import zig
from .caches import Caches, CacheShape

BLOCKS = 1 << 15
"""Places for blocks, half of which may be taken: a network's code has a few thousand."""
FRAMES = 256
FLAGS = ("-O2", "-shared", "-fPIC", "-nostdlib", "-fno-sanitize=all")
NO_LAST = NO_LINE = 0xFFFFFFFF
LIMIT, BLOCKS_FULL, FRAMES_FULL, UNALIGNED = 1, 2, 3, 4
"""Why the hook stopped the core."""


class Block(ctypes.Structure):
    """A block that was run ``count`` times, and was followed by the next address ``sequential`` times."""

    _fields_ = (
        ("address", ctypes.c_uint32), ("size", ctypes.c_uint32), ("instructions", ctypes.c_uint32),
        ("function", ctypes.c_uint32), ("conditional", ctypes.c_uint32), ("unused", ctypes.c_uint32),
        ("count", ctypes.c_uint64), ("sequential", ctypes.c_uint64),
        ("code_reads", ctypes.c_uint64), ("fetch_misses", ctypes.c_uint64), ("read_misses", ctypes.c_uint64),
        ("data_misses", ctypes.c_uint64),
    )  # fmt: skip


class Frame(ctypes.Structure):
    """A call that has not returned."""

    _fields_ = (("function", ctypes.c_uint32), ("back", ctypes.c_uint32), ("since", ctypes.c_uint64))


class Function(ctypes.Structure):
    """What was run between the calls of a function and their returns."""

    _fields_ = (
        ("inclusive", ctypes.c_uint64), ("calls", ctypes.c_uint64), ("active", ctypes.c_uint32),
        ("unused", ctypes.c_uint32),
    )  # fmt: skip


class Cache(ctypes.Structure):
    """A cache, as that of hook.c: sets of lines, the last used first."""

    _fields_ = (
        ("lines", ctypes.POINTER(ctypes.c_uint32)), ("sets", ctypes.c_uint32), ("ways", ctypes.c_uint32),
        ("shift", ctypes.c_uint32), ("unused", ctypes.c_uint32),
    )  # fmt: skip


class State(ctypes.Structure):
    """What the hook works on, as ``Counter`` of hook.c."""

    _fields_ = (
        ("blocks", ctypes.POINTER(Block)), ("starts", ctypes.POINTER(ctypes.c_uint32)),
        ("functions", ctypes.POINTER(Function)), ("frames", ctypes.POINTER(Frame)), ("read", ctypes.c_void_p),
        ("stop", ctypes.c_void_p), ("get", ctypes.c_void_p), ("set", ctypes.c_void_p),
        ("fetched", ctypes.POINTER(Cache)),
        ("loaded", ctypes.POINTER(Cache)), ("total", ctypes.c_uint64), ("limit", ctypes.c_uint64),
        ("mask", ctypes.c_uint32), ("used", ctypes.c_uint32), ("function_count", ctypes.c_uint32),
        ("frame_count", ctypes.c_uint32), ("depth", ctypes.c_uint32), ("trap", ctypes.c_uint32),
        ("code_begin", ctypes.c_uint32), ("code_end", ctypes.c_uint32), ("data_begin", ctypes.c_uint32),
        ("data_end", ctypes.c_uint32), ("link", ctypes.c_int32),
        ("arm", ctypes.c_int32), ("status", ctypes.c_int32), ("last", ctypes.c_uint32),
        ("unaligned", ctypes.c_uint32), ("status_register", ctypes.c_int32), ("unused", ctypes.c_int32),
    )  # fmt: skip


class Counter:
    """Counts of one core, and the hook's address for it."""

    def __init__(
        self, starts: Sequence[int], *, arm: bool, link: int, status: int, trap: int, code: tuple[int, int]
    ) -> None:
        self.library = _library()
        self.blocks = (Block * BLOCKS)()
        self.functions = (Function * max(len(starts), 1))()
        self._starts = (ctypes.c_uint32 * max(len(starts), 1))(*starts)
        self._frames = (Frame * FRAMES)()
        self._caches: dict[tuple[str, CacheShape], Cache] = {}
        self._arrays: list[object] = []
        self.state = State(
            blocks=self.blocks, starts=self._starts, functions=self.functions, frames=self._frames, mask=BLOCKS - 1,
            function_count=len(starts), frame_count=FRAMES, trap=trap, code_begin=code[0], code_end=code[1], link=link,
            arm=int(arm), last=NO_LAST, status_register=status,
        )  # fmt: skip

    def keep(self, caches: Caches, data: tuple[int, int]) -> None:
        """Simulate caches of what is fetched and loaded; ``data``: the memory beside the code that they hold."""
        for field, shape in (("fetched", caches.fetched), ("loaded", caches.loaded)):
            if shape is not None:
                setattr(self.state, field, ctypes.pointer(self._cache(shape, (field, caches.unified))))
        self.state.data_begin, self.state.data_end = data

    def _cache(self, shape: CacheShape, who: tuple[str, bool]) -> Cache:
        key = ("both" if who[1] else who[0], shape)
        if key not in self._caches:
            lines = (ctypes.c_uint32 * (shape.sets * shape.ways))(*[NO_LINE] * (shape.sets * shape.ways))
            shift = shape.line_bytes.bit_length() - 1
            cache = Cache(lines=lines, sets=shape.sets, ways=shape.ways, shift=shift)
            self._caches[key] = cache
            self._arrays.append(lines)
        return self._caches[key]

    def attach(self, unicorn: ctypes.CDLL) -> None:
        """Tell the hook by which functions of unicorn it reads and stops."""
        for field, name in (
            ("read", "uc_mem_read"), ("stop", "uc_emu_stop"), ("get", "uc_reg_read"),
            ("set", "uc_reg_write"),
        ):
            setattr(self.state, field, ctypes.cast(getattr(unicorn, name), ctypes.c_void_p).value)

    def hook(self, name: str) -> ctypes.c_void_p:
        """Give a hook's address."""
        return ctypes.cast(getattr(self.library, name), ctypes.c_void_p)

    def finish(self) -> None:
        """End the calls that have not returned."""
        self.library.gw_finish(ctypes.byref(self.state))

    def clear(self) -> None:
        """Forget the counts; the blocks that are known stay."""
        for block in self.blocks:
            if block.size:
                block.count = block.sequential = block.code_reads = 0
                block.fetch_misses = block.read_misses = block.data_misses = 0
        ctypes.memset(self.functions, 0, ctypes.sizeof(self.functions))
        self.state.total = self.state.depth = self.state.status = 0
        self.state.last = NO_LAST


@cache
def _library() -> ctypes.CDLL:
    """Load the compiled hook; it is kept by content, and written whole or not at all."""
    from ...hls4ml.compiler import cache_root

    source = (files(__package__) / "hook.c").read_bytes()
    key = sha256(b"\0".join([source, " ".join(FLAGS).encode(), sys.platform.encode(), os.uname().machine.encode()]))
    place = cache_root().parent / "emulator" / f"{key.hexdigest()[:32]}.so"
    if not place.is_file():
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="building-", dir=place.parent) as temporary:
            folder = Path(temporary)
            (folder / "hook.c").write_bytes(source)
            zig(("cc", *FLAGS, "hook.c", "-o", "hook.so"), folder)
            os.replace(folder / "hook.so", place)
    return ctypes.CDLL(str(place))
