"""The bound on the stack: never under what a run takes, close to it, and an error where there is none."""

import pytest

from gatewright.backends.firmware.emulator import Emulator, Image, core_of, stack_bound
from gatewright.backends.firmware.emulator.frames import _written
from gatewright.backends.firmware.emulator.kinds import Instruction, Kind
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


ALIGNED = MAIN.replace(
    "int main(void)",
    """
KEPT int32_t aligned(int32_t n)
{
    volatile int32_t room[12] __attribute__((aligned(32)));
    room[n] = (int32_t)(uintptr_t)room;
    return room[n] + inner(n);
}
int main(void)""",
)


@pytest.mark.parametrize("name", ["cortex-m4", "cortex-m33"])
def test_a_frame_that_is_aligned(name: str) -> None:
    board = board_of(name)
    of = Image.read(build(board, ALIGNED, "-O2"))
    bound = stack_bound(of, "aligned", core_of(board)).bytes
    for less in range(0, 32, 8):
        device = Emulator(of, board=board, stack=of.symbol("_estack").address - less)
        device.call("aligned", 3)
        assert device.stack_bytes <= bound <= device.stack_bytes + 48


def test_constants_in_code_are_no_code() -> None:
    """After code and between it, as the image's mapping symbols say."""
    of = image("cortex-m4")
    code = [at for at, is_code in of.marks if is_code]
    data = [at for at, is_code in of.marks if not is_code]
    assert any(at < code[-1] for at in data)
    assert [of.code_from(at) for at in code] == code
    assert [of.code_from(at) for at in data] == [next((c for c in code if c > at), at) for at in data]


SWITCH = MAIN.replace(
    "int main(void)",
    """
KEPT void one(void) { sink += 1; }
KEPT void two(void) { sink += divided(sink, 2); }
KEPT void three(void) { sink ^= 5; }
KEPT int32_t steps(int32_t n)
{
    switch (n) {
    case 0: one(); sink += 3; break; case 1: two(); sink += 3; break; case 2: three(); one(); break;
    case 3: sink += (uint32_t)deep(2); break; case 4: two(); one(); break; case 5: three(); two(); break;
    case 6: one(); one(); break; case 7: one(); three(); two(); break; default: return 1;
    }
    return 0;
}
static void (*const pointers[4])(void) = {one, two, three, one};
KEPT void pointed(int32_t n) { pointers[n & 3](); }
int main(void)""",
)


@ALL
@pytest.mark.parametrize("level", ["-O2", "-O1", "-O0"])
def test_a_switch_with_a_table(name: str, level: str) -> None:
    """Its jumps stay in the function, and its table is no code; a table of functions is another thing."""
    board = board_of(name)
    of = Image.read(build(board, SWITCH, level))
    bound = stack_bound(of, "steps", core_of(board))
    assert "deep" in [each for each, _ in bound.path]
    device = Emulator(of, board=board)
    assert [device.call("steps", n) for n in range(9)] == [0] * 8 + [1]
    assert device.stack_bytes <= bound.bytes <= device.stack_bytes + 48
    with pytest.raises(UnsupportedError, match="pointed: calls through a pointer"):
        stack_bound(of, "pointed", core_of(board))


def test_bits_of_a_number_are_no_register() -> None:
    """They may look like r4: what that holds stays known."""
    assert _written(0x30EC, Instruction(2, Kind.ALU), risc=False) == {0}  # adds r0, #236
    assert _written(0x6194F8A0, Instruction(4, Kind.STORE, 1), risc=False) == {0}  # strh.w r6, [r0, #404]
    assert _written(0x6194F8B0, Instruction(4, Kind.LOAD, 1), risc=False) == {0, 6}  # ldrh.w r6, [r0, #404]
