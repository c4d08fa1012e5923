"""A device for tests: TVM's RPC server, and its tracker, as processes of this machine."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

STARTS_S = 60.0


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@contextmanager
def running(module: str, *options: str) -> Iterator[str]:
    """Run a server of TVM; give its address once it answers."""
    port = free_port()
    command = [sys.executable, "-m", module, "--host", "127.0.0.1", "--port", str(port), "--port-end", str(port + 1)]
    process = subprocess.Popen(
        [*command, "--silent", *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        _wait(process, port)
        yield f"127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # with the processes that serve its visitors
        process.wait()


def _wait(process: "subprocess.Popen[bytes]", port: int) -> None:
    end = time.monotonic() + STARTS_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert process.poll() is None, "the server ended"
            assert time.monotonic() < end, "the server does not start"
            time.sleep(0.05)
        else:
            return


@contextmanager
def server(*options: str) -> Iterator[str]:
    with running("tvm.exec.rpc_server", *options) as address:
        yield address


@contextmanager
def tracker() -> Iterator[str]:
    with running("tvm.exec.rpc_tracker") as address:
        yield address
