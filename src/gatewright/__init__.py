"""Gatewright: compile trained networks to hardware projects that are proved bit-exact before any vendor tool runs.

import gatewright as gw

graph = gw.load("model.h5")                             # float graph with the model's own quantizers
integer = gw.lower(graph, board="pynq-z2")              # integers only
y = gw.evaluate(integer, x)                             # exact
project = gw.compile("model.h5", board="pynq-z2")       # files in memory
project.write("build/model")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .boards import Board, boards
    from .comparison import Difference, diff
    from .compiling import compile_model as compile
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
        State,
        Stream,
        UnsupportedError,
        evaluate,
        with_states,
    )
    from .lowering import lower
    from .project import Module, Project
    from .project import open_module as open
    from .tuning import tune

__all__ = [
    "Affine", "Board", "Difference", "FileError", "Fixed", "Float", "GatewrightError", "Graph", "ManyErrors",
    "Module", "OptionError", "Overflow", "Project", "RangeError", "Rounding", "ShapeError", "State", "Stream",
    "UnsupportedError", "boards", "compile", "diff", "evaluate", "load", "lower", "open", "tune", "with_states",
]  # fmt: skip

_HOME = {
    "boards": ("Board",),
    "comparison": ("Difference", "diff"),
    "compiling": ("compile",),
    "frontend": ("load",),
    "lowering": ("lower",),
    "project": ("Module", "Project", "open"),
    "tuning": ("tune",),
}
_RENAMED = {"compile": "compile_model", "open": "open_module"}


def __getattr__(name: str) -> Any:
    """Import a public name where it is first used, so that the command line answers at once."""
    if name == "__version__":
        from .manifest import own_version

        return own_version()
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "boards":
        return import_module(".boards", __name__)  # called, it gives every board
    home = next((module for module, names in _HOME.items() if name in names), "graph")
    found = getattr(import_module(f".{home}", __name__), _RENAMED.get(name, name))
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return __all__
