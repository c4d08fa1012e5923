"""Images: what is read of an ELF file, and what is told of a broken one."""

import pytest

from gatewright.backends.firmware.emulator import Image
from gatewright.graph.errors import FileError, GatewrightError

from .programs import BOARDS, built, image

ALL = pytest.mark.parametrize("name", BOARDS)


@ALL
def test_symbols_and_segments(name: str) -> None:
    of = image(name)
    assert of.arch == ("riscv" if name.startswith("rv") else "arm")
    assert (of.symbol("input").size, of.symbol("input").kind) == (64, "object")
    assert of.symbol("scale").kind == "function"
    assert of.symbol("scale").address % 2 == 0
    assert of.bytes_at(of.symbol("weights").address, 3) == bytes([1, 254, 3])
    assert of.function_at(of.symbol("scale").address + 2) == of.symbol("scale")
    assert of.function_at(of.symbol("input").address) is None
    assert of.place(of.symbol("input").address + 5).endswith("(input + 0x5)")
    assert of.entry == of.symbol("reset").address
    sizes = {s.name: s.size for s in of.sections}
    assert sizes[".text"] > 500
    assert of.functions == tuple(sorted(of.functions, key=lambda s: s.address))
    ends = [(s.end, t.address) for s, t in zip(of.functions, of.functions[1:], strict=False)]
    assert all(end <= start for end, start in ends)


@pytest.mark.parametrize("data", [b"", b"hello", b"\x7fELF" + bytes(60)], ids=["empty", "text", "header"])
def test_what_is_no_image(data: bytes) -> None:
    with pytest.raises(FileError, match=r"net\.elf: (is no whole ELF image|expected an image)"):
        Image.read(data, where="net.elf")


def test_an_image_for_this_machine() -> None:
    wrong = bytearray(built("cortex-m4"))
    wrong[18:20] = (62).to_bytes(2, "little")
    with pytest.raises(FileError, match="expected an image for Arm or RISC-V of 32 bits, got EM_X86_64"):
        Image.read(bytes(wrong))


def test_cut_off_images() -> None:
    whole = built("cortex-m4")
    for size in range(1, len(whole), len(whole) // 40):
        try:
            Image.read(whole[:size])
        except GatewrightError:
            continue
