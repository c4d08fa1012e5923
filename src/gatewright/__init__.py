"""Gatewright: compile trained networks to hardware projects that are proved bit-exact before any vendor tool runs.

    import gatewright as gw

    graph = gw.load("model.h5")                             # float graph with the model's own quantizers
    integer = gw.lower(graph, board="pynq-z2")              # integers only
    y = gw.evaluate(integer, x)                             # exact
    project = gw.compile("model.h5", board="pynq-z2")       # files in memory
    project.write("build/model")
"""

from .boards import Board, boards
from .frontend import load
from .graph import (
    Affine,
    FileError,
    Fixed,
    Float,
    GatewrightError,
    Graph,
    ManyErrors,
    OptionError,
    Overflow,
    RangeError,
    Rounding,
    ShapeError,
    UnsupportedError,
    evaluate,
)
from .lowering import lower
from .manifest import own_version
from .project import Module, Project
from .project import compile_model as compile
from .project import open_module as open

__version__ = own_version()

__all__ = [
    "Affine", "Board", "FileError", "Fixed", "Float", "GatewrightError", "Graph", "ManyErrors", "Module", "OptionError", "Overflow",
    "Project", "RangeError", "Rounding", "ShapeError", "UnsupportedError", "__version__", "boards", "compile", "evaluate", "load",
    "lower", "open",
]  # fmt: skip
