"""Memories, counted as the tools make them: ROMs, line buffers, FIFOs. Exact functions of depth and width."""

from math import ceil, log2

LUTRAM_BITS = 1024
"""A memory of fewer bits is made of look-up tables."""
SRL_BITS = 32
"""Bits of a shift register that one look-up table holds."""
BLOCK_BITS = 18 * 1024


def rom_blocks(width: int, depth: int, tool: str = "vivado") -> int:
    """18-kbit blocks of a read-only memory of ``depth`` words of ``width`` bits.

    A block is 36 bits wide to 512 words, 18 to 1,024, 9 to 2,048, 4 to 4,096, 2 to 8,192; a rest of one or two bits
    goes to look-up tables (612 reports of Vivado HLS 2020.1: 92 % exact). Vitis does as the pragma says, and takes a
    block for the smallest too (15 modules of Vitis HLS 2024.2).
    """
    if depth < 2:
        return 0
    if width * depth < LUTRAM_BITS:
        return 0 if tool == "vivado" else 1
    for limit, bits in ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2)):
        if depth <= limit:
            return width // bits + (1 if width % bits > 2 else 0)
    return ceil(depth / 16384) * width


def table_blocks(reads: int, size: int, width: int) -> int:
    """18-kbit blocks of a table that ``reads`` elements look up in one cycle: two reads a copy."""
    if size * width < LUTRAM_BITS:
        return 0
    return ceil(reads / 2) * max(1, ceil(size * width / BLOCK_BITS))


def table_luts(reads: int, size: int, width: int) -> int:
    """Look-up tables of a table of fewer bits: six-input tables as ROM, a copy for each read."""
    return reads * width * max(1, ceil(size / 64)) if size * width < LUTRAM_BITS else 0


def fifo_blocks(width: int, depth: int, tool: str = "vivado") -> int:
    """18-kbit blocks of a FIFO; none where it is a shift register. Those of Vitis are not wider than 18 bits (99
    designs of Vitis HLS 2024.2).
    """
    if width * depth <= LUTRAM_BITS or depth <= 2:
        return 0
    return ram_blocks(width, max(depth, 1 if tool == "vivado" else 513))


def fifo_luts(width: int, depth: int) -> int:
    """Look-up tables that hold a FIFO's packs as shift registers."""
    return width * ceil(depth / SRL_BITS) if not fifo_blocks(width, depth) else 0


def ram_blocks(width: int, depth: int) -> int:
    """18-kbit blocks of a memory that is written and read."""
    for limit, bits in ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2)):
        if depth <= limit:
            return ceil(width / bits)
    return ceil(depth / 16384) * width


def line_luts(rows: int, columns: int, width: int) -> int:
    """Look-up tables of a line buffer in shift registers: ``rows`` of ``columns`` packs of ``width`` bits."""
    return rows * width * ceil(columns / SRL_BITS)


def weight_blocks(n_in: int, n_out: int, reuse: int, width: int, tool: str = "vivado") -> int:
    """18-kbit blocks of the weights of strategy resource, one word an iteration, and of the table of output places."""
    if reuse <= 1:
        return 0
    blocks = rom_blocks(ceil(n_in * n_out / reuse) * width, reuse, tool)
    shared = reuse // n_in if reuse > n_in else 1
    places = reuse * ceil(log2(shared)) if shared > 1 else 0
    return blocks + (1 if places >= LUTRAM_BITS else 0)


__all__ = [
    "BLOCK_BITS", "LUTRAM_BITS", "fifo_blocks", "fifo_luts", "line_luts", "ram_blocks", "rom_blocks", "table_blocks",
    "table_luts", "weight_blocks",
]  # fmt: skip
