"""QEMU agrees in every instruction with the emulated core: address by address, blocks of IT among them."""

from dataclasses import replace

import pytest

from gatewright.backends.firmware.emulator import Emulator, FaultError, Image, core, find_qemu, run_qemu
from gatewright.boards import load
from gatewright.graph.errors import OptionError

from .programs import BOARDS, MAIN, board_of, build, built, image

needs_qemu = pytest.mark.skipif(
    find_qemu(core("cortex-m4")) is None or find_qemu(core("rv32imc")) is None, reason="QEMU is not installed"
)


@needs_qemu
@pytest.mark.parametrize("name", BOARDS)
def test_counts_agree(name: str) -> None:
    device = Emulator(image(name), board=board_of(name), alignment=False)
    status = device.boot()
    ours = device.counts()
    theirs = run_qemu(built(name), core(name), count=True)
    assert (theirs.status, theirs.console) == (status, device.console)
    assert theirs.counts
    own = {a: n for a, n in theirs.counts.addresses.items() if image(name).function_at(a)}
    assert own == ours.addresses
    assert theirs.counts.mix.as_dict() == ours.mix.as_dict()
    for function, found in ours.functions.items():
        assert theirs.counts.functions[function].exclusive == found.exclusive, function
    for function in ("main", "nested", "deep", "scale", "wide", "divided"):
        assert theirs.counts.functions[function].inclusive == ours.functions[function].inclusive, function


@pytest.mark.skipif(find_qemu(core("cortex-m4")) is None, reason="QEMU is not installed")
def test_counts_within_functions() -> None:
    """With all that they call, up to the next function that is asked for."""
    alone = run_qemu(built("cortex-m4"), core("cortex-m4"), count=True, within=("nested",))
    parts = run_qemu(built("cortex-m4"), core("cortex-m4"), count=True, within=("nested", "deep", "read_nothing"))
    assert alone.counts
    assert parts.counts == alone.counts
    functions = alone.counts.functions
    assert alone.within["nested"].instructions == functions["nested"].inclusive
    assert parts.within["deep"].instructions == functions["deep"].inclusive
    assert parts.within["nested"] + parts.within["deep"] == alone.within["nested"]
    assert parts.within["read_nothing"].instructions == 0


PLAIN = MAIN.replace("sum += given;", "for (int i = 0; i < 64; i++) sum += input[i] * weights[i];")
HELIUM = MAIN.replace("sum += given;", "sum += dot(input, weights, 64);").replace(
    "int main(void)",
    """
#include <arm_mve.h>
KEPT int32_t dot(const int8_t *x, const int8_t *w, int32_t n)
{
    int32_t s = 0;
    for (int32_t i = 0; i < n; i += 16) s = vmladavaq_s8(s, vldrbq_s8(x + i), vldrbq_s8(w + i));
    return s;
}
int main(void)""",
)


@needs_qemu
def test_helium() -> None:
    """The Cortex-M55 runs on QEMU only; its sum is that of the same products on a plain core."""
    expected = run_qemu(build(board_of("cortex-m33"), PLAIN, "-O2"), core("cortex-m33"))
    found = run_qemu(build(load("cortex-m55"), HELIUM, "-O2"), core("cortex-m55"), count=True)
    assert (found.status, found.console) == (7, expected.console)
    assert found.counts
    dot = found.counts.functions["dot"]
    assert dot.mix.vectors == 4
    assert dot.mix.vector_memory == 8
    assert dot.calls == 1


@needs_qemu
def test_data_is_loaded() -> None:
    program = built("cortex-m4")
    given = Image.read(program).symbol("given").address
    first = run_qemu(program, core("cortex-m4"))
    changed = run_qemu(program, core("cortex-m4"), data={given: (5).to_bytes(4, "little")})
    device = Emulator(image("cortex-m4"), board=board_of("cortex-m4"))
    device.write(given, (5).to_bytes(4, "little"))
    device.boot()
    assert changed.console == device.console != first.console


@needs_qemu
def test_what_qemu_gives_up() -> None:
    """An image whose code stands where the machine has nothing."""
    with pytest.raises(OptionError, match="stands in no memory of QEMU's machine mps2-an386"):
        run_qemu(build(load("nucleo-l4r5zi"), MAIN, "-O2"), core("cortex-m4"))
    endless = build(board_of("cortex-m4"), MAIN.replace("quit(main());", "endless();"), "-O2")
    with pytest.raises(FaultError, match=r"did not end within 1 s"):
        run_qemu(endless, core("cortex-m4"), timeout=1)


@needs_qemu
def test_vectors_elsewhere() -> None:
    """Code in another memory than the one with the machine's vectors: the Cortex-M55 in its ISRAM."""
    board = load("corstone-300")
    regions = tuple(replace(r, kind="flash") if r.name == "isram" else r for r in board.regions)
    expected = run_qemu(build(board, MAIN, "-O2"), core("cortex-m55"))
    found = run_qemu(build(replace(board, regions=regions), MAIN, "-O2"), core("cortex-m55"))
    assert found == expected
    assert found.status == 7


def test_without_qemu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(OptionError, match="qemu-system-arm is not on the path"):
        run_qemu(b"", core("cortex-m55"))
