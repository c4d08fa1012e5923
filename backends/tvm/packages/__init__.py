"""What a compiled network is handed over as: a package for CMake, one for pip, one for Android, one for Xcode."""

from ....graph import Graph
from ...loops.program import Program
from ..build import Built
from . import android, apple, cmake, python

PACKAGES = {
    "linux": {"cmake": cmake.package, "python": python.package},
    "android": {"android": android.package},
    "ios": {"apple": apple.package},
    "macos": {"apple": apple.package},
}
"""Which packages a system gets, by the folder that they stand in."""


def packages(name: str, built: Built, program: Program, graph: Graph) -> dict[str, bytes]:
    """Give the packages of a target as files: path in the project -> content.

    ``graph`` is the one that was compiled: its inputs and outputs say what the numbers mean. The CMake package refers
    to ``lib/`` and ``include/`` beside its own folder; the others stand for themselves.
    """
    found: dict[str, bytes] = {}
    for folder, package in PACKAGES[built.platform.system].items():
        files = package(name, built, program, graph)
        found |= {f"{folder}/{path}": data for path, data in files.items()}
    return found


__all__ = ["PACKAGES", "packages"]
