"""The process that compiles for the tuner: a compiler that crashes or runs out of memory does not take it along.

It reads a JSON document a line, and answers with one: ``{"variants": [[{"layer", "tile"}]], "file"}`` becomes a
measuring library of the network with the formula's tiles, and with those of each variant; ``{"error": ""}`` or why not.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any, TextIO

from ....graph import GatewrightError, Graph
from ....graph.file import load
from ...loops.builder import make_program
from ...loops.machine import Machine
from ..clock import measuring_library
from .result import read_tile


def main(folder: str) -> None:
    """Answer until the input ends. ``folder`` holds the graph and ``machine.json``."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a compiler says is no answer
    graph = load(Path(folder))
    given = json.loads((Path(folder) / "machine.json").read_text())
    machine = Machine(**{**given, "features": tuple(given["features"])})
    serve(graph, machine, sys.stdin, answers)


def serve(graph: Graph, machine: Machine, asked: TextIO, answers: TextIO) -> None:
    """Answer line by line."""
    for line in asked:
        try:
            _build(graph, machine, json.loads(line))
            error = ""
        except GatewrightError as found:
            error = str(found)
        except MemoryError:
            error = "there is not enough memory"
        except Exception as found:  # a compiler's own error is the answer
            error = f"{type(found).__name__}: {str(found).strip().splitlines()[:1]}"
        answers.write(json.dumps({"error": error}) + "\n")
        answers.flush()


def _build(graph: Graph, machine: Machine, asked: dict[str, Any]) -> None:
    variants = [{c["layer"]: read_tile(c["tile"]) for c in variant} for variant in asked["variants"]]
    programs = [make_program(graph, machine, tiles) for tiles in ({}, *variants)]
    Path(asked["file"]).write_bytes(measuring_library(programs))
