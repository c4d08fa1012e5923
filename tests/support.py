"""The page "which model can I bring", made from the rule tables: ``python -m tests.support`` writes docs/models.md."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from textwrap import fill

from gatewright.backends.hls4ml import kernels  # noqa: F401 - fills the table
from gatewright.backends.hls4ml.kernel import KERNEL_RULES
from gatewright.backends.hls4ml.layers import NATIVE
from gatewright.backends.hls4ml.plan import STRUCTURE
from gatewright.backends.hls4ml.reasons import REASONS
from gatewright.frontend import hgq as _hgq  # noqa: F401 - fills the tables
from gatewright.frontend import keras as _keras  # noqa: F401
from gatewright.frontend import qkeras as _qkeras  # noqa: F401
from gatewright.frontend.keras.assemble import REFUSED as KERAS_REFUSED
from gatewright.frontend.keras.registry import ACTIVATIONS, LAYERS
from gatewright.frontend.onnx import operators as _onnx  # noqa: F401
from gatewright.frontend.onnx import registry as onnx
from gatewright.frontend.tflite import operators as _tflite  # noqa: F401
from gatewright.frontend.tflite import registry as tflite
from gatewright.frontend.torch import operators as _torch  # noqa: F401
from gatewright.frontend.torch import registry as torch
from gatewright.graph import op_name
from gatewright.graph.ops import OPS

PAGE = Path(__file__).parents[1] / "docs" / "models.md"

HEAD = """\
# Which model can I bring

| you have | give Gatewright | read without the framework | page |
|---|---|---|---|
| Keras 3 | `.keras`, `.h5`, `.json` with weights, or the live model | yes | [Keras](keras.md) |
| tf-keras 2, Keras 2 | `.h5`, `.keras`, `.json` with weights, or the live model | yes | [Keras](keras.md) |
| QKeras 0.9 | the same files | yes | [QKeras](qkeras.md) |
| HGQ (v1), HGQ2 | `.h5`, `.keras`, or the live model | yes | [HGQ](hgq.md) |
| PyTorch | `torch.export.save(torch.export.export(model.eval(), inputs), "model.pt2")`, or the live module with `inputs=` | `.pt2`: yes | [PyTorch](pytorch.md) |
| PyTorch, quantized by PT2E | the same, after `convert_pt2e` | `.pt2`: yes | [PyTorch](pytorch.md) |
| Brevitas | its QONNX or QCDQ export, `.onnx` | yes | [quantized ONNX](onnx-quantized.md) |
| ONNX, float | `.onnx`, or a live `ModelProto` | yes | [ONNX](onnx.md), [conformance](onnx-conformance.md) |
| ONNX, QDQ or operators on integers (onnxruntime's quantization) | the same | yes | [quantized ONNX](onnx-quantized.md) |
| QONNX (FINN, qonnx) | the same | yes | [quantized ONNX](onnx-quantized.md) |
| TensorFlow Lite, float or int8 / uint8 / int16 | `.tflite` | yes | [TFLite](tflite.md), [its operators](tflite-operators.md) |
| a graph that Gatewright saved | `.gw`, or an output directory | | [the Python API](python.md) |
| a TensorFlow SavedModel, JAX, MXNet, Caffe ... | their export to TFLite, ONNX or Keras | | |

`gatewright check MODEL --board B` tells everything that stands in the way of a model, all at once, before any work is
done. What is not in these lists is refused by name; what is in them is right, or refused for an attribute that the
error names. `gw.load` gives a float graph (or an integer one, where the model is integers already) that `gw.evaluate`
runs; `gw.lower` makes integers of it; `gw.compile` writes the project of a board.

The lists below are made from the tables that the importers and the back end work with
(`python -m tests.support` writes this page, a test compares it).
"""


def page() -> str:
    """Give the whole page."""
    return "\n".join([HEAD, *_keras_part(), *_onnx_part(), *_tflite_part(), *_torch_part(), *_hls_part()])


def _section(title: str, names: Iterable[str], refused: Mapping[str, str] | None = None) -> Iterator[str]:
    yield f"## {title}\n"
    yield fill(", ".join(f"`{name}`" for name in sorted(set(names), key=str.lower)), 118, break_on_hyphens=False) + "\n"
    if refused:
        yield "Known and refused:\n"
        yield "| | why, or what to try |\n|---|---|"
        reasons: dict[str, list[str]] = {}
        for name, why in sorted(refused.items()):
            reasons.setdefault(why, []).append(name)
        for why, those in reasons.items():
            yield f"| {', '.join(f'`{name}`' for name in those)} | {why} |"
        yield ""


def _keras_part() -> Iterator[str]:
    groups: dict[str, list[str]] = {"keras": [], "functions": [], "qkeras": [], "hgq": []}
    for name, kind in LAYERS.items():
        source = kind.build.__module__.split(".")[2]
        group = "functions" if name.startswith("ops.") else source if source in groups else "keras"
        groups[group].append(name.removeprefix("ops.").rpartition(">")[2])
    own = {k: v for k, v in KERAS_REFUSED.items() if not k.startswith("hgq")}
    hgq = {k.rpartition(">")[2]: v for k, v in KERAS_REFUSED.items() if k.startswith("hgq")}
    yield from _section("Keras layers", groups["keras"], own)
    yield from _section("Keras activations", (n for n in ACTIVATIONS if not n.startswith(("quantized_", "Quantized"))))
    if groups["functions"]:
        yield from _section("Functions of `keras.ops`", groups["functions"])
    yield from _section("QKeras layers", groups["qkeras"])
    if groups["hgq"]:
        yield from _section("HGQ and HGQ2 layers", groups["hgq"], hgq)


def _onnx_part() -> Iterator[str]:
    yield from _section("ONNX operators", onnx.OPERATORS, onnx.REFUSED)
    domains: dict[str, list[str]] = {}
    for domain, name in onnx.DOMAINS:
        domains.setdefault(domain, []).append(name)
    for domain, names in sorted(domains.items()):
        yield from _section(f"ONNX operators of `{domain}`", names)


def _tflite_part() -> Iterator[str]:
    yield from _section("TFLite operators", tflite.OPERATORS, tflite.REFUSED)


def _torch_part() -> Iterator[str]:
    yield from _section("ATen operators (PyTorch)", torch.OPERATORS, torch.REFUSED)


def _hls_part() -> Iterator[str]:
    yield "## What the HLS back end builds\n"
    yield "Every operation of the integer graph, by a layer of hls4ml's where that is exact, else by a kernel of ours.\n"
    yield "| operation | hls4ml's layer | kernel | |\n|---|---|---|---|"
    for name, op in sorted(OPS.items()):
        if op in STRUCTURE:
            continue
        marks = ("yes" if op in NATIVE else "", "yes" if op in KERNEL_RULES else "", REASONS.get(op, ""))
        yield f"| `{op_name(OPS[name])}` | {' | '.join(marks)} |"
    yield ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
