"""Run a compiled simulation in a process of its own: what aborts or hangs there does no harm. Uses the standard
library only.

Arguments: library, function index, weights folder, vectors, size of the outputs, size of the trace (0: none), input
file, output file.
"""

import ctypes
import sys
from pathlib import Path


def run(library: str, index: int, weights: str, count: int, data: bytes, sizes: tuple[int, int]) -> bytes:
    """Call the library on ``count`` vectors (int64, little endian); give outputs and trace, each of ``sizes`` numbers
    a vector.
    """
    compiled = ctypes.CDLL(library)
    function = getattr(compiled, f"gw_run_{index}")
    function.argtypes = [ctypes.c_longlong, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p]
    function.restype = None
    out = ctypes.create_string_buffer(8 * count * sizes[0])
    trace = ctypes.create_string_buffer(8 * count * sizes[1]) if sizes[1] else None
    function(count, data, ctypes.addressof(out), ctypes.addressof(trace) if trace else None, weights.encode())
    check_streams(compiled)
    return out.raw + (trace.raw if trace else b"")


def check_streams(compiled: ctypes.CDLL) -> None:
    """End with a message where a process read more or less than was written: such a design hangs in hardware."""
    for symbol, what in (("empty_reads", "reads of an empty stream"), ("leftovers", "streams left with data in them")):
        counter = getattr(compiled, f"lean_stream_{symbol}", None)  # the vendor's headers count neither
        if counter is not None:
            counter.restype = ctypes.c_ulong
            if found := counter():
                sys.exit(f"{found} {what}")


if __name__ == "__main__":
    library, index, weights, count, out_size, trace_size, source, target = sys.argv[1:]
    result = run(library, int(index), weights, int(count), Path(source).read_bytes(), (int(out_size), int(trace_size)))
    Path(target).write_bytes(result)
