"""What stands around the kernels in a project: a program in C++ beside them, a Python package."""

from collections.abc import Mapping

from ....graph import Graph
from .package import package
from .program import program


def surroundings(sources: Mapping[str, bytes], graph: Graph) -> dict[str, bytes]:
    """Give the further files of a project, by path in it. ``sources``: the plan, the constants and the kernels, by name
    in ``src/``; ``graph``: what was compiled.
    """
    return {
        **{f"src/{name}": data for name, data in program(sources).items()},
        **{f"python/{name}": data for name, data in package(sources, graph).items()},
    }


__all__ = ["surroundings"]
