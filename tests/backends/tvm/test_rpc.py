"""A device through TVM's RPC, a process of this machine standing in for one; and libraries that measure themselves."""

import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import gatewright as gw
from gatewright.backends.loops.builder import make_program
from gatewright.backends.loops.code import Code, Parameter, const, function
from gatewright.backends.loops.machine import Machine
from gatewright.backends.loops.program import Block, Call, Pointer, Program, calls_of
from gatewright.backends.tvm import machine_of, verify
from gatewright.backends.tvm.clock import Local, MeasuringError, measuring_library, measuring_sources, seconds
from gatewright.backends.tvm.measure import profile
from gatewright.backends.tvm.objects import read
from gatewright.backends.tvm.rpc import (
    DeviceError,
    OnDevice,
    Remote,
    connect,
    find_device,
    read_address,
    request,
    within,
)
from gatewright.backends.zig import zig
from gatewright.cli import app
from gatewright.graph import FileError, Graph, Node, OptionError
from gatewright.graph.ops import Input
from gatewright.profile import profile as profiled

from ..cases.common import vectors
from .devices import server, tracker
from .networks import digits, small_cnn
from .support import host

RUN = CliRunner()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with server() as found:
        yield found


@pytest.fixture(scope="module")
def device(address: str) -> Remote:
    return connect(address)


def test_every_call_is_measured_on_a_device_as_it_is_here(device: Remote) -> None:
    there, here = (profile(small_cnn(), host(), device=d, turns=50) for d in (device, None))
    assert [c.kernel for c in there.calls] == [c.kernel for c in here.calls]
    assert 0.2 < there.seconds / here.seconds < 5
    assert 0.2 < sum(c.seconds for c in there.calls) / there.seconds < 1.5
    assert there.peaks.keys() == here.peaks.keys()
    assert all(0.2 < there.peaks[k] / here.peaks[k] < 5 for k in here.peaks)


def test_the_library_of_a_project_computes_the_same_on_a_device(device: Remote) -> None:
    graph = small_cnn()
    project = gw.compile(graph, board="host", verify=False)
    simulation = OnDevice(graph, project.artefact, device)
    entry = verify(graph, simulation, vectors(graph, 5))
    assert entry["status"] == "exact"
    assert entry["vectors"] == 5
    assert device.name in entry["engine"]
    with pytest.raises(OptionError, match="one thread"):
        simulation.loaded(2)


def test_the_command_measures_on_a_device(address: str, device: Remote, tmp_path: Path) -> None:
    del device  # the server has one visitor at a time
    gw.compile(digits(), board="host", vectors=1).write(tmp_path / "out")
    with server() as own:
        told = RUN.invoke(app, ["profile", str(tmp_path / "out"), "--rpc", own])
    assert told.exit_code == 0, told.output
    assert f"us an inference on {own}" in " ".join(told.output.split())


def test_a_tracker_gives_a_device_by_its_key() -> None:
    with tracker() as known, server("--tracker", known, "--key", "rpi5", "--custom-addr", "127.0.0.1"):
        end = time.monotonic() + 20
        while True:
            try:
                found = request(known, "rpi5")
                break
            except DeviceError:
                assert time.monotonic() < end
                time.sleep(0.1)
        assert found.name == f"rpi5 at {known}"
        with found.open(measuring_library([make_program(small_cnn(), host())]), host()) as meter:
            assert meter.measure(0, 3, clocked=False)[0] > 0
        with pytest.raises(DeviceError, match="no device is registered as 'rpi4'") as error:
            request(known, "rpi4")
        assert "rpi5" in error.value.hint
        with pytest.raises(DeviceError, match="does not answer within 1 s") as error:
            request(known, "rpi5", timeout_s=1)
        assert "busy" in error.value.hint


def test_a_library_for_another_processor_is_told(device: Remote) -> None:
    other = machine_of(gw.boards()["raspberry-pi-5" if host().is_x86 else "x86-avx2"])
    here, there = ("x86_64", "aarch64") if host().is_x86 else ("aarch64", "x86_64")
    with pytest.raises(DeviceError, match=f"is {here}, the library is for {there}"):
        profile(small_cnn(), other, device=device)


def test_who_does_not_answer_is_told() -> None:
    with pytest.raises(DeviceError, match=r"127\.0\.0\.1:9"):
        connect("127.0.0.1:9")
    with pytest.raises(DeviceError, match="refused"):
        request("127.0.0.1:9", "rpi5")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        begin = time.monotonic()
        with pytest.raises(DeviceError, match=r"does not answer within 0\.5 s"):
            connect(f"127.0.0.1:{port}", timeout_s=0.5)
        assert time.monotonic() - begin < 5


def test_who_speaks_another_language_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:

        def answer() -> None:
            visitor, _ = other.accept()
            with visitor, visitor.makefile("rb") as heard:
                _, length = struct.unpack("<ii", heard.read(8))
                heard.read(length)  # who closes before is heard as one who hangs up
                visitor.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        with pytest.raises(DeviceError, match="is not TVM RPC server"):
            connect(f"127.0.0.1:{other.getsockname()[1]}")
        thread.join()


def test_a_device_that_goes_away_is_told() -> None:
    with server() as own:
        lost = connect(own)
        library = measuring_library([make_program(small_cnn(), host())])
    with pytest.raises(DeviceError), lost.open(library, host()) as meter:
        meter.measure(0, 3, clocked=True)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("pi:7", ("pi", 7)), ("pi", ("pi", 9090)), ("192.168.1.7:9091", ("192.168.1.7", 9091)), ("[::1]:80", ("::1", 80)),
     ("::1", ("::1", 9090))],
)  # fmt: skip
def test_addresses_are_read(text: str, wanted: tuple[str, int]) -> None:
    assert read_address(text, 9090) == wanted


@pytest.mark.parametrize("text", ["", ":9090", "pi:", "pi:port", "pi:0", "pi:70000"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="is no address"):
        read_address(text, 9090)


def test_options_that_contradict_each_other_are_refused() -> None:
    assert find_device(None, None, None) is None
    for given in (("pi", "pi", "k"), ("pi", None, "k"), (None, "pi", None), (None, None, "k")):
        with pytest.raises(OptionError):
            find_device(*given)
    told = RUN.invoke(app, ["profile", "nowhere", "--rpc-tracker", "pi:9190"])
    assert told.exit_code == 1
    assert "a tracker needs a key" in told.output


def test_what_goes_wrong_on_a_device_is_told_in_a_line() -> None:
    def fail() -> int:
        raise RuntimeError("\nCheck failed: (a == b) is false: bang\nstack")

    with pytest.raises(DeviceError) as error:
        within(5, "there", fail)
    assert (error.value.what, error.value.where) == ("bang", "there")
    assert within(5, "there", lambda: 7) == 7


def test_only_libraries_are_measured_on_a_device(device: Remote, tmp_path: Path) -> None:
    gw.compile(digits(), board="pynq-z2", verify=False).write(tmp_path / "hls")
    with pytest.raises(OptionError, match="has no library for a device"):
        profiled(str(tmp_path / "hls"), [], device=device)


def test_a_damaged_project_is_told(device: Remote) -> None:
    project = gw.compile(digits(), board="host", verify=False)
    files = {k: v for k, v in project.artefact.items() if k != "src/kernels.o"}
    with pytest.raises(FileError, match="is not there"):
        OnDevice(digits(), files, device).loaded()


# What is measured


def loop_program(turns: int, machine: Machine) -> Program:
    """A kernel whose time is known to grow with ``turns``."""
    x = Parameter.pointer("x", "int32")
    assert x.memory is not None
    code = Code()
    with code.loop(turns) as i:
        code.store(x.memory, i % 7, x.memory.load(i % 5, 1) * 3 + i)
    call = Call("k", (Pointer(Block(64)),), 0, Node(Input("x", (1,))))
    return Program(Graph((), ()), machine, {"k": function([x], code)}, [call, call], arena=64)


def test_time_grows_with_work() -> None:
    programs = [loop_program(n, host()) for n in (2_000, 20_000)]
    with Local().open(measuring_library(programs), host()) as meter:
        few, many = (meter.measure(i, 20, clocked=True) for i in range(2))
        plain = [meter.measure(i, 20, clocked=False)[0] for i in range(2)]
    assert len(few) == len(many) == 3
    assert 5 < many[0] / few[0] < 20
    assert 1.5 < many[-1] / many[0] < 3
    assert 5 < plain[1] / plain[0] < 20
    assert 0.5 < plain[1] / many[-1] < 2


def broken(machine: Machine) -> Program:
    """A kernel that writes where nothing is."""
    made = loop_program(10, machine)
    x = Parameter.pointer("x", "int32")
    assert x.memory is not None
    code = Code()
    code.store(x.memory, const((1 << 31) - 64, "int32"), const(1, "int32"))
    return replace_kernel(made, function([x], code))


def replace_kernel(program: Program, kernel: object) -> Program:
    return replace(program, kernels={"k": kernel})  # type: ignore[dict-item]


@pytest.mark.parametrize("where", ["here", "there"])
def test_what_crashes_takes_nothing_along(where: str, device: Remote) -> None:
    programs = [broken(host()), loop_program(10, host())]
    measured = Local() if where == "here" else device
    with measured.open(measuring_library(programs), host()) as meter:  # type: ignore[attr-defined]
        with pytest.raises(MeasuringError, match=r"SIGSEGV|SIGBUS") as error:
            meter.measure(0, 2, clocked=True)
        assert error.value.where == measured.name  # type: ignore[attr-defined]
        assert meter.measure(1, 2, clocked=True)[0] > 0


def test_what_does_not_end_is_given_up() -> None:
    endless = loop_program((1 << 31) - 1, host())
    with Local().open(measuring_library([endless]), host()) as meter:
        begin = time.monotonic()
        with pytest.raises(MeasuringError, match=r"did not end within 0.2 s"):
            meter.measure(0, 100, clocked=True, limit_s=0.2)
        assert time.monotonic() - begin < 5


def test_networks_of_a_library_share_what_is_equal() -> None:
    program = make_program(digits(), host())
    one, two = (len(measuring_library([program] * n)) for n in (1, 2))
    assert two < one + len(program.constants) // 2 + 20_000
    assert len(calls_of(program.statements)) == len(calls_of(make_program(digits(), host()).statements))


@pytest.mark.parametrize("board", ["raspberry-pi-5", "raspberry-pi-4", "riscv-k1", "pixel-8", "x86-avx2"])
def test_measuring_libraries_are_linked_for_other_machines(board: str) -> None:
    machine = machine_of(gw.boards()[board])
    contents = read(measuring_library([make_program(small_cnn(), machine)]))
    assert {"__tvm_ffi_measure", "__tvm_ffi_figure"} <= set(contents.exported)
    allowed = {"clock_gettime", "mmap", "fork", "waitpid", "kill", "usleep", "_exit", "signal", "memset", "memcpy"}
    assert set(contents.undefined) <= allowed


def test_measuring_for_32_bit_arm_needs_no_other_library() -> None:
    machine = Machine("armv7-linux-gnueabihf", "cortex-a7", ("+neon",), 128)
    contents = read(measuring_library([make_program(small_cnn(), machine)]))
    assert contents.machine == "armv7"
    assert not [n for n in contents.undefined if n.startswith("__")]


MAIN = """
#include <stdint.h>
#include <stdio.h>
int64_t gatewright_clock_measure(int64_t, int64_t, int64_t), gatewright_clock_figure(int64_t);

int main(void)
{
    int64_t count = gatewright_clock_measure(1, 3, 60000);
    for (int i = 0; i < count; i++) printf("%lld\\n", (long long)gatewright_clock_figure(i));
    return count <= 0;
}
"""


@pytest.mark.parametrize(("board", "emulator"), [("raspberry-pi-5", "qemu-aarch64"), ("riscv-k1", "qemu-riscv64")])
def test_measuring_runs_on_other_processors(board: str, emulator: str, tmp_path: Path) -> None:
    if shutil.which(emulator) is None:
        pytest.skip(f"{emulator} is not installed (Debian: qemu-user)")
    program = make_program(small_cnn(), machine_of(gw.boards()[board]))
    for name, data in {**measuring_sources([program]), "main.c": MAIN.encode()}.items():
        (tmp_path / name).write_bytes(data)
    arch = emulator.removeprefix("qemu-")
    parts = ["main.c", "gatewright_clock.c", "constants.S", "kernels.o"]
    zig(["cc", "-target", f"{arch}-linux-musl", "-static", "-O1", "-std=gnu99", *parts, "-o", "main"], tmp_path)
    cpu = "max" if arch == "aarch64" else "rv64,v=true,vlen=256,zba=true,zbb=true,zbs=true"
    done = subprocess.run([emulator, "-cpu", cpu, "./main"], cwd=tmp_path, capture_output=True, text=True, check=True)
    found = seconds([int(n) for n in done.stdout.split()])
    assert len(found) == len(calls_of(program.statements)) + 1
    assert 0 < sum(found[:-1]) <= found[-1] * 1.1 < 10


def test_figures_are_those_of_the_machine() -> None:
    """Real numbers too, and several inputs."""
    x = [Node(Input(f"x{i}", (3, 4))) for i in range(2)]
    from gatewright.graph.ops import Add, Output

    graph = Graph(tuple(x), (Node(Output("y"), (Node(Add(), tuple(x)),)),))
    found = profile(graph, host(), turns=3)
    assert len(found.calls) == 1
    assert found.peaks == {}
    assert np.isfinite(found.bandwidth)
