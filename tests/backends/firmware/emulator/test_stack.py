"""The bound on the stack: never under what a run takes, close to it, and an error where there is none."""

import pytest

from gatewright.backends.firmware.emulator import Emulator, Image, core_of, stack_bound
from gatewright.graph.errors import OptionError, UnsupportedError

from .programs import BOARDS, MAIN, board_of, build, image

ALL = pytest.mark.parametrize("name", BOARDS)


@ALL
@pytest.mark.parametrize("level", ["-O2", "-O1", "-O0"])
def test_painting_confirms_the_bound(name: str, level: str) -> None:
    board = board_of(name)
    of = Image.read(build(board, MAIN, level)) if level != "-O2" else image(name)
    for function, argument in (("nested", 10), ("deep", 3), ("inner", 4), ("divided", 0), ("big", 5), ("scale", 0)):
        bound = stack_bound(of, function, core_of(board))
        device = Emulator(of, board=board)
        device.call(function, argument, 3)
        painted = device.stack_bytes
        assert painted <= bound.bytes, (function, str(bound))
        assert bound.bytes <= painted + 48, (function, painted, str(bound))
        assert bound.bytes == sum(size for _, size in bound.path)
        assert bound.path[0][0] == function


@ALL
def test_the_path_is_named(name: str) -> None:
    bound = stack_bound(image(name), "nested", core_of(board_of(name)))
    assert [each for each, _ in bound.path] == ["nested", "deep", "inner"]
    assert bound.path[1][1] >= 800
    assert str(bound).startswith(f"{bound.bytes:,} bytes: nested ")


@ALL
def test_what_has_no_bound(name: str) -> None:
    of, core = image(name), core_of(board_of(name))
    with pytest.raises(UnsupportedError, match="recursion has no bound: fibonacci -> fibonacci"):
        stack_bound(of, "fibonacci", core)
    with pytest.raises(UnsupportedError, match="through: calls through a pointer"):
        stack_bound(of, "through", core)
    with pytest.raises(UnsupportedError, match=r"variable: .*the stack pointer") as caught:
        stack_bound(of, "variable", core)
    assert "variable size" in caught.value.hint
    with pytest.raises(UnsupportedError, match=r"recursion|pointer|stack"):
        stack_bound(of, "main", core)
    with pytest.raises(OptionError, match="weights is no function"):
        stack_bound(of, "weights", core)
    with pytest.raises(OptionError, match="no symbol called 'deeep'"):
        stack_bound(of, "deeep", core)


def test_a_switch_with_a_table() -> None:
    """TBB jumps within the function: its table is no code."""
    source = MAIN.replace("case 5: return 12;", "case 5: return divided(n, 3) * 12;")
    of = Image.read(build(board_of("cortex-m4"), source, "-O2"))
    assert any(f.name == "choose" for f in of.functions)
    bound = stack_bound(of, "choose", core_of(board_of("cortex-m4")))
    device = Emulator(of, board=board_of("cortex-m4"))
    for n in range(8):
        device.call("choose", n)
    assert device.stack_bytes <= bound.bytes <= device.stack_bytes + 16
