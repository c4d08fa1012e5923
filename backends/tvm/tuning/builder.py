"""Measuring libraries from a process of its own, which is started again where it ended."""

import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType

from ....graph import GatewrightError, Graph
from ....graph.file import to_bytes
from ...loops.machine import Machine
from ...loops.schedule import Tiles

LIMIT_S = 900.0
"""Seconds that the compilation of one library may take."""
START = "import sys; from gatewright.backends.tvm.tuning.worker import main; main(sys.argv[1])"


class CandidateError(GatewrightError):
    """Some tiles cannot be compiled."""


class Builder:
    """A context that compiles variants of a network."""

    def __init__(self, graph: Graph, machine: Machine, *, limit_s: float = LIMIT_S) -> None:
        self._graph, self._machine, self._limit_s = graph, machine, limit_s
        self._folder = tempfile.TemporaryDirectory(prefix="gatewright-")
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> "Builder":
        folder = Path(self._folder.name)
        for name, data in to_bytes(self._graph).items():
            (folder / name).write_bytes(data)
        (folder / "machine.json").write_text(json.dumps(asdict(self._machine)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        self._folder.cleanup()

    def build(self, variants: Sequence[Tiles]) -> bytes:
        """Compile the network with the formula's tiles and with those of each variant, in this order.

        Raises CandidateError where the compiler refuses, crashes, or does not end.
        """
        file = Path(self._folder.name) / "library"
        asked = [[{"layer": layer, "tile": asdict(tile)} for layer, tile in v.items()] for v in variants]
        error = self._ask(json.dumps({"variants": asked, "file": str(file)}))
        if error:
            raise CandidateError(error)
        return file.read_bytes()

    def _ask(self, line: str) -> str:
        process = self._process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(line + "\n")
            process.stdin.flush()
            ready, _, _ = select.select([process.stdout], [], [], self._limit_s)
        except BrokenPipeError:
            ready = [process.stdout]
        answer = process.stdout.readline() if ready else ""
        if answer:
            return str(json.loads(answer)["error"])
        said = self._stop()
        return said if ready else f"the compiler did not end within {self._limit_s:g} s"

    def _start(self) -> "subprocess.Popen[str]":
        folder = Path(self._folder.name)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        with (folder / "messages").open("w") as messages:
            return subprocess.Popen(
                [sys.executable, "-c", START, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=messages, text=True, env=environment,
            )  # fmt: skip

    def _stop(self) -> str:
        """End the process, if there is one; say how it ended by itself."""
        process, self._process = self._process, None
        if process is None:
            return ""
        status = process.poll()
        if status is None:
            try:
                status = process.wait(0.5)
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
        messages = (Path(self._folder.name) / "messages").read_text(errors="replace").strip().splitlines()
        return f"the compiler ended with status {status}" + (f": {messages[-1][:200]}" if messages else "")
