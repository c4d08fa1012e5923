"""A look at the global heaps of an HDF5 file before its library reads them: it runs for ever on a damaged one.

HDF5 File Format Specification 3.0, III.E: ``GCOL``, version 1, three reserved bytes, the size of the collection (8
bytes), then objects: index (2 bytes), references (2), reserved (4), size (8), data padded to 8 bytes; index 0 is the
free space at the end, its size counts its own head.
"""

import mmap
import struct
from pathlib import Path

HEAD = b"GCOL\x01\0\0\0"
OBJECT = struct.Struct("<HHIQ")


def heaps_end(source: Path | bytes) -> bool:
    """Whether a walk over each global heap gets forward until its end. Raises OSError."""
    if isinstance(source, bytes):
        return _sound(source)
    with source.open("rb") as file:
        if not source.stat().st_size:
            return True
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _sound(data)


def _sound(data: bytes | mmap.mmap) -> bool:
    start = data.find(HEAD)
    while start >= 0:
        if not _walks(data, start):
            return False
        start = data.find(HEAD, start + 1)
    return True


def _walks(data: bytes | mmap.mmap, start: int) -> bool:
    """Follow the objects of one collection."""
    first = start + len(HEAD) + 8
    if first > len(data):
        return True  # cut off: the library says so
    (size,) = struct.unpack("<Q", data[start + len(HEAD) : first])
    at, end = first, start + size
    if end > len(data):
        return True
    while at + OBJECT.size <= end:
        index, _, _, length = OBJECT.unpack(data[at : at + OBJECT.size])
        step = length if index == 0 else OBJECT.size + (length + 7) // 8 * 8
        if step == 0 or step > end - at:
            return False
        at += step
    return True
