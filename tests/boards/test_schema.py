"""The schema: each kind of board reads, and each mistake is told with file, line, key and what was expected."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewright.boards import load, names, parse
from gatewright.graph.errors import FileError, GatewrightError, ManyErrors, OptionError

from .samples import ALL, CPU, FPGA, GPU, MCU


def test_a_microcontroller() -> None:
    board = parse(ALL["mcu"], where="x.toml")
    assert board.fpga is None
    assert board.cores[0].extensions == ("dsp", "fpv5-d16")
    assert [(each.name, each.address, each.size_kib.value) for each in board.regions] == [
        ("flash", 0x08000000, 2048),
        ("dtcm", 0x20000000, 128),
    ]
    assert board.caches[0].line_bytes.value == 32
    assert board.accelerators[0].mac_per_cycle.value == 128
    assert board.price_usd.value == 4.5
    assert board.power_w.verified is False
    assert board.price_usd.source == "made up"


def test_a_cpu_in_inline_tables() -> None:
    board = parse(ALL["cpu"], where="x.toml")
    assert board.cores[0].count.value == 4
    assert [cache.level for cache in board.caches] == [1, 3]
    assert board.memories[0].bandwidth_gb_s.value == 17.0
    assert (board.peaks[0].format, board.peaks[0].sparse) == ("fp32", False)


def test_a_gpu_and_a_phone() -> None:
    card, phone = parse(ALL["gpu"], where="x.toml"), parse(ALL["phone"], where="x.toml")
    assert (card.gpu.lanes.value, card.peaks[0].sparse) == (1024, True)
    assert (phone.gpu.architecture, len(phone.cores), phone.accelerators[0].kind) == ("a7xx", 2, "npu")


@pytest.mark.parametrize("kind", ALL)
def test_kind_and_dictionary(kind: str) -> None:
    board = parse(ALL[kind], where="x.toml")
    assert board.kind == kind
    assert board.as_dict()["kind"] == kind


# (what to replace, by what, line of the complaint, words it has, words of the hint)
MISTAKES = [
    ("lut = {", "lutt = {", 18, ["fpga.resources.lutt", "unknown key"], "did you mean 'lut'?"),
    ("value = 20800", 'value = "many"', 18, ["fpga.resources.lut.value", "positive whole number", "'many'"], ""),
    ("value = 20800", "value = -5", 18, ["positive whole number", "-5"], ""),
    ("value = 20800", "value = 0", 18, ["positive whole number", "got 0"], ""),
    ("value = 20800", "value = true", 18, ["positive whole number", "True"], ""),
    ("value = 20800", "value = 20800.0", 18, ["positive whole number", "20800.0"], ""),
    ("value = 100,", "value = nan,", 15, ["fpga.clock.default_mhz.value", "positive number", "nan"], ""),
    ("value = 100,", "value = inf,", 15, ["positive number", "inf"], ""),
    ("value = 100,", "valeu = 100,", 15, ["fpga.clock.default_mhz"], "did you mean 'value'?"),
    ('100, source = "me"', '100, source = "mee"', 15, ["clock.default_mhz.source", "'mee'"], "did you mean 'me'?"),
    ('100, source = "me"', "100, source = 3", 15, ["default_mhz.source", "3"], "name it"),
    ('{ value = 100, source = "me" }', "100", 15, ["expected a figure", "got 100"], "{ value ="),
    ('100, source = "me"', "100", 15, ["default_mhz.source", "missing"], ""),
    ('100, source = "me"', '100, source = "me", verified = "no"', 15, ["verified", "true or false", "'no'"], ""),
    ('"Vitis", "Vivado"', '"Vitis", "Vivdo"', 12, ["fpga.hls[1]", "one of Vitis", "'Vivdo'"], "did you mean 'Vivado'?"),
    ('["Vitis", "Vivado"]', '"Vitis"', 12, ["fpga.hls", "expected an array", "'Vitis'"], ""),
    ('kind = "fpga"', 'kind = "fgpa"', 3, ["kind", "one of fpga, mcu", "'fgpa'"], "did you mean 'fpga'?"),
    ('kind = "fpga"\n', "", 1, ["kind", "missing"], ""),
    ('kind = "fpga"', "kind = 3", 3, ["kind", "got 3"], ""),
    ('kind = "fpga"', 'kind = "cpu"', 7, ["fpga", "no such table"], ""),
    ('name = "my-board"', 'name = "My Board"', 2, ["name", "lower case", "'My Board'"], ""),
    ('name = "my-board"', 'name = "host"', 2, ["host", "machine itself"], "another name"),
    ('maker = "me"', 'maker = ""', 5, ["maker", "expected a text"], ""),
    ('maker = "me"', 'makers = "me"', 5, ["makers"], "did you mean 'maker'?"),
    ("schema = 1", "schema = 2", 1, ["schema", "expected 1, got 2"], "schema = 1"),
    ("schema = 1", "schema = true", 1, ["schema", "expected 1, got True"], ""),
    ("schema = 1\n", "", 1, ["schema", "got nothing"], "schema = 1"),
    ('part = "xc7a35tcpg236-1"', 'part = "xc7a 35t-1"', 10, ["fpga.part", "no blanks"], ""),
    ('speed_grade = "-1"', 'speed_grade = "-3"', 11, ["speed_grade", "-3"], ""),
    ('me = "counted by hand"', "me = 7", 24, ["sources.me", "text"], ""),
    ("[fpga.clock]", "[fpga.clok]", 14, ["fpga.clok"], "did you mean 'clock'?"),
    ('source = "me" }\n\n[fpga.res',
     'source = "me" }\nlowest_mhz = { value = 200, source = "me" }\n\n[fpga.res',
     15, ["between 200 and"], ""),
    ("dsp = { value = 90, source = \"me\" }\n", "", 17, ["fpga.resources.dsp", "missing", "AMD"], ""),
]  # fmt: skip


def told(error: GatewrightError) -> list[GatewrightError]:
    return list(error.errors) if isinstance(error, ManyErrors) else [error]


@pytest.mark.parametrize(("old", "new", "line", "words", "hint"), MISTAKES, ids=range(len(MISTAKES)))
def test_a_mistake_is_told_with_its_line(old: str, new: str, line: int, words: list[str], hint: str) -> None:
    assert FPGA.count(old) >= 1
    with pytest.raises((OptionError, ManyErrors)) as caught:
        parse(FPGA.replace(old, new, 1), where="my.toml")
    fitting = [
        each
        for each in told(caught.value)
        if each.where == f"my.toml:{line}" and all(word in each.what for word in words) and hint in each.hint
    ]
    assert fitting, f"not told: {caught.value}"


def test_all_the_problems_of_a_file_at_once_in_the_order_of_lines() -> None:
    broken = FPGA.replace("value = 90", 'value = "x"').replace('maker = "me"', "maker = 4").replace("ff =", "fff =")
    with pytest.raises(ManyErrors) as caught:
        parse(broken, where="my.toml")
    lines = [int(each.where.rpartition(":")[2]) for each in caught.value.errors]
    assert lines == sorted(lines)
    assert {5, 17, 19, 20} == set(lines)
    assert all(isinstance(each, OptionError) for each in caught.value.errors)


@pytest.mark.parametrize(
    ("kind", "table"),
    [
        ("fpga", "fpga"), ("gpu", "gpu"), ("gpu", "compiler"), ("mcu", "cores"), ("mcu", "regions"), ("cpu", "cores"),
        ("cpu", "compiler"), ("phone", "cores"), ("phone", "compiler"),
    ],
)  # fmt: skip
def test_a_kind_needs_its_tables(kind: str, table: str) -> None:
    head = f'schema = 1\nname = "x"\nkind = "{kind}"\ntitle = "x"\nmaker = "x"\n'
    with pytest.raises((OptionError, ManyErrors)) as caught:
        parse(head, where="x.toml")
    assert any(each.what.startswith(f"{table}: missing") for each in told(caught.value))


def test_what_the_compiler_is_told() -> None:
    cpu, card, phone = (parse(ALL[kind], where="x.toml").compiler for kind in ("cpu", "gpu", "phone"))
    assert (cpu.kind, cpu.triple, cpu.cpu, cpu.vector_bits) == ("llvm", "aarch64-linux-gnu", "cortex-a76", 128)
    assert (cpu.features, cpu.abi, cpu.arch) == (("+dotprod", "+fullfp16"), "", "")
    assert (card.kind, card.arch, card.features) == ("cuda", "sm_87", ())
    assert phone.features == ("+i8mm", "-sve")
    plain = parse(CPU, where="x.toml").as_dict()["compiler"]
    assert "abi" not in plain, "what is empty is left out"
    assert plain["features"] == ["+dotprod", "+fullfp16"]
    board = parse(CPU.replace('count = { value = 4, source = "me" } ', "").replace(", }", "}"), where="x.toml")
    assert board.cores[0].count is None, "a class of machines has no number of cores"


# (board, what to replace, by what, words of the complaint, words of the hint)
WRONG_COMPILERS = [
    (CPU, 'kind = "llvm"', 'kind = "lvm"', ["compiler.kind", "one of llvm, c, cuda"], "did you mean 'llvm'?"),
    (CPU, 'kind = "llvm"', 'kind = "opencl"', ["compiler.kind", "expected llvm", "'opencl'"], "a board of its"),
    (GPU, 'kind = "cuda"', 'kind = "llvm"', ["compiler.kind", "cuda, opencl, metal or webgpu", "'llvm'"], ""),
    (GPU, 'kind = "cuda"', 'kind = "metal"', ["compiler.arch", "not CUDA", "'sm_87'"], ""),
    (GPU, '"sm_87"', '"87"', ["compiler.arch", "like 'sm_87'", "'87'"], ""),
    (GPU, 'arch = "sm_87"\n', "", ["compiler.arch", "like 'sm_87'", "''"], ""),
    (CPU, '"aarch64-linux-gnu"', '"aarch64"', ["compiler.triple", "triple", "'aarch64'"], ""),
    (CPU, '"aarch64-linux-gnu"', '"aarch64 linux gnu"', ["compiler.triple", "triple"], ""),
    (CPU, '"cortex-a76"', '"cortex a76"', ["compiler.cpu", "no blanks"], ""),
    (CPU, 'cpu = "cortex-a76"\n', "", ["compiler.cpu", "missing"], ""),
    (CPU, "vector_bits = 128\n", "# vector_bits\n", ["compiler.vector_bits", "missing", "whole number"], ""),
    (CPU, "vector_bits = 128", "vector_bits = 96", ["compiler.vector_bits", "power of two", "96"], ""),
    (CPU, "vector_bits = 128", "vector_bits = 131072", ["compiler.vector_bits", "65536"], ""),
    (CPU, "vector_bits = 128", "vector_bits = -128", ["compiler.vector_bits", "whole number"], ""),
    (CPU, '"+fullfp16"', '"fullfp16"', ["compiler.features[1]", "with its sign"], "did you mean '+fullfp16'?"),
    (CPU, '"+fullfp16"', '"+full fp16"', ["compiler.features[1]", "with its sign"], ""),
    (CPU, '"+fullfp16"', '"-dotprod"', ["compiler.features[1]", "'dotprod' is given twice"], ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "old", "new", "words", "hint"), WRONG_COMPILERS, ids=range(len(WRONG_COMPILERS)))
def test_a_wrong_compiler_table(text: str, old: str, new: str, words: list[str], hint: str) -> None:
    assert text.count(old) >= 1
    broken = text.replace(old, new, 1)
    with pytest.raises((OptionError, ManyErrors)) as caught:
        parse(broken, where="my.toml")
    found = [each for each in told(caught.value) if all(word in each.what for word in words) and hint in each.hint]
    assert found, f"not told: {caught.value}"
    first, last = (broken[: broken.index(mark)].count("\n") + 1 for mark in ("[compiler]", "vector_bits"))
    assert first <= int(found[0].where.rpartition(":")[2]) <= last


def test_second_table_of_an_array() -> None:
    broken = MCU.replace('kind = "dtcm"', 'kind = "dtmc"')
    with pytest.raises(OptionError, match=r"regions\[1\]\.kind") as caught:
        parse(broken, where="x.toml")
    assert caught.value.where == f"x.toml:{broken[: broken.index('dtmc')].count(chr(10)) + 1}"
    assert caught.value.hint == "did you mean 'dtcm'?"


def test_a_cache_of_no_core() -> None:
    with pytest.raises(OptionError, match=r"caches\[0\].*Cortex-M7.*'M8'"):
        parse(MCU.replace('cores = "Cortex-M7"', 'cores = "M8"'), where="x.toml")


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ('[[fpga.tool_parts]]\ntool = "oneAPI"\npart = "Agilex7"\n', "not one of the tools in hls"),
        (
            '[[fpga.tool_parts]]\ntool = "Vitis"\npart = "a"\n[[fpga.tool_parts]]\ntool = "Vitis"\npart = "b"\n',
            "given twice",
        ),
    ],
)
def test_tool_parts(extra: str, words: str) -> None:
    with pytest.raises(OptionError, match=words) as caught:
        parse(FPGA + extra, where="x.toml")
    assert int(caught.value.where.rpartition(":")[2]) > 24


def test_unknown_board_has_the_near_miss() -> None:
    with pytest.raises(OptionError, match="no board called 'pynqz2'") as caught:
        load("pynqz2")
    assert caught.value.hint == "did you mean 'pynq-z2'?"
    with pytest.raises(OptionError, match="no board called ''"):
        load("")


def test_the_users_own_file(tmp_path: Path) -> None:
    path = tmp_path / "anything.toml"
    path.write_text(FPGA, encoding="utf-8")
    assert load(path) == load(str(path)) == parse(FPGA, where="x")
    other = tmp_path / "no-suffix"
    other.write_text(FPGA, encoding="utf-8")
    assert load(str(other)).name == "my-board"
    assert "my-board" not in names()
    path.write_text(FPGA.replace("20800", "20801"), encoding="utf-8")
    assert load(path).fpga.resources.count("lut") == 20801, "a user's file is read each time"


def test_windows_line_ends_keep_the_lines() -> None:
    with pytest.raises(OptionError) as caught:
        parse(FPGA.replace('maker = "me"', "maker = 1").replace("\n", "\r\n"), where="x.toml")
    assert caught.value.where == "x.toml:5"


@pytest.mark.parametrize(
    ("content", "where", "words"),
    [
        (b"name = \n", "bad.toml:1", "is not TOML"),
        (b'a = 1\nname = "x"\nname = "y"\n', "bad.toml:3", "is not TOML"),
        (b'a = 1\nname = "x', "bad.toml:2", "is not TOML"),
        (b"a = 1\n\n[table", "bad.toml:3", "is not TOML"),
        (b'a = 1\nname = "\xff"\n', "bad.toml:2", "not UTF-8"),
        (b"\x00\x01\x02", "bad.toml:1", "is not TOML"),
        (b"a = " + b"[" * 100_000, "bad.toml", "nested too deep"),
        (b"a = 1" + b"0" * 10_000, "bad.toml", "is not TOML"),
        (b"#" * (2 << 20), "bad.toml", "more than 1024 KiB"),
    ],
    ids=["value", "twice", "text", "table", "utf-8", "binary", "deep", "digits", "large"],
)
def test_damaged_files(tmp_path: Path, content: bytes, where: str, words: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(FileError, match=words) as caught:
        load(path)
    assert caught.value.where == str(tmp_path / where)


def test_missing_file_directory_and_device(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no such file"):
        load(tmp_path / "none.toml")
    with pytest.raises(FileError, match="expected a TOML file"):
        load(f"{tmp_path}/")
    with pytest.raises(FileError):
        load("/dev/zero")
    with pytest.raises(FileError):
        load("a\0b.toml")


FRAGMENTS = ["[", "]", "{", "}", "=", "1", '"', "\n", "name", ".", ",", "[[cores]]", "value", "nan", "'''", "-", "true"]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    text=st.sampled_from(list(ALL.values())),
    cuts=st.lists(
        st.tuples(st.integers(0, 700), st.integers(0, 30), st.sampled_from(FRAGMENTS)), min_size=1, max_size=3
    ),
)
def test_whatever_is_wrong_is_an_error_of_ours(text: str, cuts: list[tuple[int, int, str]]) -> None:
    for start, length, fragment in cuts:
        text = text[:start] + fragment + text[start + length :]
    places = ["x.toml:1"]
    try:
        parse(text, where="x.toml")
    except GatewrightError as problem:
        places = [each.where for each in told(problem)]
    assert all(re.fullmatch(r"x\.toml(:\d+)?", place) for place in places)


def test_empty_file_tells_every_key() -> None:
    with pytest.raises(ManyErrors) as caught:
        parse("", where="x.toml")
    assert [each.where for each in caught.value.errors] == ["x.toml:1"] * 5
    assert {each.what.partition(":")[0] for each in caught.value.errors} == {"schema", "name", "kind", "title", "maker"}
