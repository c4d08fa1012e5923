"""Measuring and running on a device through TVM's RPC: `python -m tvm.exec.rpc_server` there, nothing else of ours.

Libraries are plain C. What the server can call are functions of TVM's foreign-function interface, so a library that
goes there has some of these beside it, which call ours. Everything that waits for a device gives up after a while.
"""

import re
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ...graph import FileError, GatewrightError, Graph, NDArray, OptionError
from ..loops.machine import Machine
from ..zig import zig
from .build import shared_library
from .clock import LIMIT_S, explain, seconds
from .simulation import Network, Simulation, machine_in, read_description
from .targets import ARCHITECTURES, Platform, missing_tvm, platform

TIMEOUT_S = 20.0
"""Seconds that a device may take to answer."""
UPLOAD_S = 300.0
"""Seconds that it may take to receive and load a library."""
PORT, TRACKER_PORT = 9090, 9190
"""What TVM's server and tracker listen on, where nothing else is said."""
START = "start a server there: python -m tvm.exec.rpc_server --port 9090 (pip install 'apache-tvm[rpc]')"

T = TypeVar("T")


class DeviceError(GatewrightError):
    """A device does not answer, refuses, or is another one than the library is for."""


def connect(address: str, *, timeout_s: float = TIMEOUT_S) -> "Remote":
    """Connect to the RPC server of a device, HOST:PORT. Raises OptionError, DeviceError."""
    host, port = read_address(address, PORT)
    rpc, where = _rpc(), f"{host}:{port}"
    session = within(timeout_s, where, lambda: rpc.connect(host, port), START)
    return Remote(session, where)


def request(tracker: str, key: str, *, timeout_s: float = TIMEOUT_S) -> "Remote":
    """Ask a tracker, HOST:PORT, for a device that is registered as ``key``. Raises OptionError, DeviceError."""
    host, port = read_address(tracker, TRACKER_PORT)
    rpc, where = _rpc(), f"{host}:{port}"
    within(timeout_s, where, lambda: socket.create_connection((host, port)).close(), TRACKER)  # TVM tries for a minute
    found = within(timeout_s, where, lambda: rpc.connect_tracker(host, port), TRACKER)
    devices = within(timeout_s, where, found.summary, TRACKER)["queue_info"]
    if key not in devices:
        known = ", ".join(sorted(devices)) or "none yet"
        raise DeviceError(f"no device is registered as {key!r}", where=where, hint=f"registered: {known}")
    busy = f"all devices called {key!r} are busy or gone; wait for them, or start another server with --key {key}"
    session = within(timeout_s, where, lambda: found.request(key, max_retry=1), busy)
    return Remote(session, f"{key} at {where}")


TRACKER = "start a tracker there: python -m tvm.exec.rpc_tracker --host 0.0.0.0 --port 9190"


def read_address(text: str, usual: int) -> tuple[str, int]:
    """Read HOST:PORT, or HOST. Raises OptionError."""
    host, colon, port = text.rpartition(":")
    if not colon or (text.count(":") > 1 and not host.endswith("]")):
        host, port = text, str(usual)
    if not host or not port.isdigit() or not 0 < int(port) < 1 << 16:
        raise OptionError(f"{text!r} is no address", hint="HOST:PORT, as 192.168.1.7:9090")
    return host.strip("[]"), int(port)


def within(limit_s: float, where: str, ask: Callable[[], T], hint: str = "is it still on, and not busy?") -> T:
    """Give what ``ask`` gives; raises DeviceError where it takes longer, or fails, where TVM itself waits for ever."""
    answers: list[T] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            answers.append(ask())
        except BaseException as error:  # handed over to the one who waits
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(limit_s)
    if answers:
        return answers[0]
    if not failures:
        raise DeviceError(f"does not answer within {limit_s:g} s", where=where, hint=hint)
    if not isinstance(failures[0], Exception):
        raise failures[0]
    raise DeviceError(_first_line(failures[0]), where=where, hint=hint) from None


def _first_line(error: Exception) -> str:
    """Give what a message of TVM says, without the stack below."""
    text = str(error).replace("RPCError: Error caught from RPC call:", "")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return re.sub(r"^Check failed: .* is false: ", "", lines[0] if lines else type(error).__name__)[:300]


def _rpc() -> Any:
    try:
        from .load import tvm  # noqa: F401 - without PyTorch

        return import_module("tvm.rpc")
    except ImportError as error:
        raise missing_tvm(error) from None


class Remote:
    """A device that answers; libraries are loaded and measured there."""

    def __init__(self, session: Any, name: str) -> None:
        self._session, self.name, self._count = session, name, 0

    @contextmanager
    def open(self, library: bytes, machine: Machine) -> Iterator["RemoteMeter"]:
        """Upload and load a measuring library. Raises DeviceError."""
        with self.load(library, machine) as module:
            yield RemoteMeter(module, self.name)

    @contextmanager
    def load(self, library: bytes, machine: Machine) -> Iterator["_Module"]:
        """Upload and load a library, whose functions can be called then. Raises DeviceError."""
        session, target = self._session, platform(machine.triple)
        self._count += 1
        file = f"gatewright{self._count}.{target.library}"

        def load() -> Any:
            session.upload(bytearray(library), file)
            return session.load_module(file)

        try:
            module = within(UPLOAD_S, self.name, load)
        except DeviceError as error:
            raise self._refused(error, target) from None
        try:
            yield _Module(module, self.name)
        finally:
            with suppress(DeviceError):
                within(TIMEOUT_S, self.name, lambda: session.remove(file))

    def _refused(self, error: DeviceError, target: Platform) -> DeviceError:
        """Say why a library is not loaded: the device may have another processor."""
        for arch in sorted({*ARCHITECTURES.values()} - {target.arch}):
            other = Platform(arch, "linux")
            with suppress(GatewrightError):
                self._probe(other)
                what = f"is {other.machine}, the library is for {target.machine}"
                return DeviceError(what, where=self.name, hint="compile with --board for that device")
        return error

    def _probe(self, target: Platform) -> None:
        """Load a library that does nothing. Raises DeviceError where that is not possible."""
        with tempfile.TemporaryDirectory(prefix="gatewright-") as folder:
            (Path(folder) / "probe.c").write_text("int __tvm_ffi_probe(void) { return 0; }\n")
            zig(
                ["cc", "-target", target.zig, "-shared", "-nostdlib", "-fPIC", "probe.c", "-o", "probe.so"],
                Path(folder),
            )
            data = bytearray((Path(folder) / "probe.so").read_bytes())
        file = f"probe-{target.arch}.so"

        def load() -> None:
            self._session.upload(data, file)
            self._session.load_module(file)

        within(TIMEOUT_S, self.name, load)

    def tensor(self, values: NDArray) -> Any:
        """Put an array into the device's memory."""
        from .load import tvm

        return within(UPLOAD_S, self.name, lambda: tvm.runtime.tensor(values, self._session.cpu(0)))


class _Module:
    """A library on a device."""

    def __init__(self, module: Any, where: str) -> None:
        self._module, self.where, self._functions = module, where, dict[str, Any]()

    def __call__(self, function: str, *operands: Any, limit_s: float = TIMEOUT_S) -> int:
        """Call a function of whole numbers and tensors."""
        if function not in self._functions:
            self._functions[function] = within(TIMEOUT_S, self.where, lambda: self._module[function])
        return int(within(limit_s, self.where, lambda: self._functions[function](*operands)))


class RemoteMeter:
    """A measuring library on a device."""

    def __init__(self, module: _Module, where: str) -> None:
        self._module, self._where = module, where

    def measure(self, network: int, turns: int, *, clocked: bool, limit_s: float = LIMIT_S) -> list[float]:
        """Run a network, as ``Meter`` says; raises DeviceError too."""
        numbers = 2 * network + clocked, turns, int(limit_s * 1000)
        count = self._module("measure", *numbers, limit_s=limit_s + TIMEOUT_S)
        if count <= 0:
            raise explain(count, self._where, limit_s)
        return seconds([self._module("figure", i) for i in range(count)])


class OnDevice(Simulation):
    """The library of a project, run on a device: the same objects, linked once more with what the server can call."""

    def __init__(self, graph: Graph, project: Mapping[str, bytes], device: Remote) -> None:
        super().__init__(graph, project)
        self.device = device
        self.engine = f"compiled library on {device.name}"

    def loaded(self, threads: int = 1) -> Network:
        """Upload the library, with memory of its own there. Raises DeviceError, OptionError for threads."""
        if threads > 1:
            raise OptionError("a library on a device runs in one thread", hint="threads=1")
        description = read_description(self.project)
        library = callable_library(self.project)
        return RemoteNetwork(description, self.device, library)


class RemoteNetwork(Network):
    """A library on a device with arrays here: ``run`` sends the inputs, runs once and fetches the outputs."""

    def __init__(self, description: Mapping[str, Any], device: Remote, library: bytes) -> None:
        self.inputs, self.outputs = (
            [np.zeros(p["shape"], p["type"]) for p in description[ports]] for ports in ("inputs", "outputs")
        )
        self._device = device
        self._open = ExitStack()
        self._module = self._open.enter_context(device.load(library, machine_in(description)))
        self._held = [device.tensor(a) for a in (*self.inputs, *self.outputs)]
        self.run = self._run
        self._remembers = bool(description["states"])
        self.reset()

    def reset(self) -> None:
        """Let the network begin anew, with its initial states."""
        if self._remembers:
            self._module("begin", limit_s=LIMIT_S)

    def _run(self) -> int:
        held, count = self._held, len(self.inputs)
        for tensor, values in zip(held, self.inputs, strict=False):
            within(UPLOAD_S, self._device.name, partial(tensor.copyfrom, values))
        status = self._module("run", *held, limit_s=LIMIT_S)
        for tensor, values in zip(held[count:], self.outputs, strict=True):
            values[...] = within(UPLOAD_S, self._device.name, tensor.numpy)
        return status


CALLABLE = """
struct any {{ int32_t type; uint32_t zero; int64_t value; }};
struct tensor {{
    void *data;
    int32_t device[2], axes;
    uint8_t type[4];
    int64_t *shape, *strides;
    uint64_t offset;
}};

static _Alignas({upper}_ALIGNMENT) unsigned char arena[{upper}_ARENA_BYTES];

/* A function of TVM's foreign-function interface (tvm/ffi/c_api.h, dlpack.h): a tensor for each port, the status. */
int __tvm_ffi_run(void *self, const struct any *p, int32_t count, struct any *result)
{{
    void *operands[{ports} + 1] = {{0}};
    (void)self;
    for (int i = 0; i < {ports} && i < count; i++) {{
        const struct tensor *t = (const struct tensor *)(uintptr_t)p[i].value;
        operands[i] = (unsigned char *)t->data + t->offset;
    }}
    operands[{ports}] = arena;
    result->type = 1;
    result->zero = 0;
    result->value = count == {ports} ? {name}_run_bound(operands) : -1;
    return 0;
}}

int __tvm_ffi_begin(void *self, const struct any *p, int32_t count, struct any *result)
{{
    (void)self; (void)p; (void)count;
    {begin}
    result->type = 1;
    result->zero = result->value = 0;
    return 0;
}}
"""


def callable_library(project: Mapping[str, bytes]) -> bytes:
    """Link what a project was compiled to once more, with a function ``run`` that TVM's RPC server can call.

    Raises FileError for a project that is damaged, BuildError.
    """
    description = read_description(project)
    name, ports = description["name"], len(description["inputs"]) + len(description["outputs"])
    sources = {path.removeprefix("src/"): data for path, data in project.items() if path.startswith("src/")}
    missing = sorted({f"{name}.c", f"{name}.h", "constants.S", "constants.bin", "kernels.o"} - sources.keys())
    if missing:
        raise FileError("is not there", where=f"project/src/{missing[0]}", hint="compile again")
    begin = f"{name}_init(arena);" if description["states"] else ""
    text = CALLABLE.format(name=name, upper=name.upper(), ports=ports, begin=begin)
    sources[f"{name}.c"] += text.encode()
    return shared_library(sources, name, platform(description["triple"]))


def find_device(rpc: str | None, tracker: str | None, key: str | None) -> Remote | None:
    """Connect to what the options name: an address, or a tracker and a key; None for this machine.

    Raises OptionError for options that contradict each other, DeviceError where nothing answers.
    """
    if rpc is not None and (tracker is not None or key is not None):
        raise OptionError("a device is named by its address, or by a tracker and a key", hint="--rpc alone")
    if (tracker is None) != (key is None):
        raise OptionError("a tracker needs a key, and a key a tracker", hint="--rpc-tracker HOST:PORT --key NAME")
    if tracker is not None and key is not None:
        return request(tracker, key)
    return connect(rpc) if rpc is not None else None
