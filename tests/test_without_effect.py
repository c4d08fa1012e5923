"""Choices that change nothing on a board are told, all of them."""

from gatewright.boards import load
from gatewright.lowering import make_config
from gatewright.options import Choices, FirmwareChoices, LibraryChoices

CONFIG = {
    "io": "stream", "table_bits": 10, "layer": [{"name": "fc*", "strategy": "resource", "precision": "fixed<8,4>"}],
}  # fmt: skip


def test_a_processor_reads_nothing_of_an_hls_project() -> None:
    choices = Choices(hls="vitis", io="stream", strategy="resource", reuse_factor=3, clock_ns=4.0, types="vendor")
    told = choices.without_effect(load("raspberry-pi-5"), make_config(None, CONFIG), strict=True)
    end = "no effect on raspberry-pi-5, which takes no HLS project"
    assert told == [
        f"hls, io, strategy, reuse_factor, clock_ns, types, strict: {end}",
        f"configuration: io: {end}",
        f"configuration for 'fc*': strategy: {end}",
    ]


def test_what_is_not_chosen_is_not_told() -> None:
    board = load("raspberry-pi-5")
    assert not Choices().without_effect(board, make_config(None, None))
    assert not LibraryChoices().without_effect(board)
    assert not LibraryChoices(("asm",), True).without_effect(board)
    assert not FirmwareChoices().without_effect(board)


def test_an_fpga_reads_nothing_of_a_library() -> None:
    assert LibraryChoices(("asm",), True).without_effect(load("pynq-z2")) == [
        "emit: no effect on pynq-z2, which takes no library",
        "integer_only: no effect on pynq-z2, whose projects have integers alone",
    ]
    assert FirmwareChoices("smallest", "bare").without_effect(load("pynq-z2")) == [
        "memory: no effect on pynq-z2, which takes no firmware",
        "project: no effect on pynq-z2, which takes no firmware",
    ]
