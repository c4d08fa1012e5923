"""The engines that are compared, each in its own file."""

from .base import Engine, Skip
from .evaluate import Evaluate
from .executorch import ExecuTorch
from .litert import LiteRT
from .onnxruntime import OnnxRuntime
from .openvino import OpenVINO
from .ours import Ours
from .tvm import TVM

ENGINES: dict[str, type[Engine]] = {e.name: e for e in (Ours, LiteRT, OnnxRuntime, OpenVINO, ExecuTorch, TVM, Evaluate)}
"""By name, in the order of the table's columns."""
DEFAULT = ("gatewright", "litert", "onnxruntime", "openvino", "executorch")
"""Without those that are slow: TVM's own pipeline, and Gatewright's interpreter."""

__all__ = ["DEFAULT", "ENGINES", "Engine", "Skip"]
