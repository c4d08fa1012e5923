"""Every node case of ``onnx.backend.test``: whether Gatewright computes what it expects, or says why not."""

import warnings
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from gatewright.frontend import load
from gatewright.graph import Affine, Fixed, GatewrightError, Graph, ManyErrors, NDArray, Node, evaluate, values_of
from gatewright.graph.arrays import as_array

PASS, REFUSED, INAPPLICABLE, WRONG, CRASH = "pass", "refused", "not applicable", "wrong", "crash"

SHORT = {"float16": 2.0**-9, "bfloat16": 2.0**-7, "float8": 2.0**-2, "float4": 0.5}
"""How far results of short types may be off: the sources compute in the type itself, Gatewright in float32."""

OWN_DOMAINS = ("", "ai.onnx")
RANDOM = ("Bernoulli", "RandomNormal", "RandomUniform", "Multinomial", "RandomNormalLike", "RandomUniformLike")
TRAINING = ("Gradient", "Adagrad", "Adam", "Momentum")


@dataclass(frozen=True)
class Result:
    """What became of a case: ``stored`` names the inputs that had to be constants, ``whole`` that it has no batch."""

    name: str
    operator: str
    status: str
    reason: str = ""
    stored: tuple[str, ...] = ()
    whole: bool = False


def collect() -> list[Any]:
    """Give the cases, in the order of their names."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.case.node import collect_testcases

        return sorted(collect_testcases(None), key=lambda case: str(case.name))


def operator_of(case: Any) -> str:
    """Name the operator that a case is about, also where it is written out in others."""
    names = [n.op_type for n in case.model.graph.node]
    if len(set(names)) == 1 and not case.name.endswith("_expanded"):
        return str(names[0])
    words = (str(node.name) for node in case.model.graph.node if "_test_" in node.name)
    return next((word.partition("_test_")[0] for word in words), str(names[-1]))


def run(case: Any) -> Result:
    """Run one case: as it stands, then with its later inputs stored as constants."""
    operator = operator_of(case)
    if reason := _inapplicable(case):
        return Result(case.name, operator, INAPPLICABLE, reason)
    first: Result | None = None
    for stored in _stored(case):
        found = _attempt(case, operator, stored)
        if found.status != REFUSED:
            return found
        first = first or found
    assert first is not None
    return first


def _inapplicable(case: Any) -> str:
    """Say what a case has that no network computing on tensors of numbers has."""
    domains = {n.domain for n in case.model.graph.node} - set(OWN_DOMAINS)
    if domains:
        return f"domain {', '.join(sorted(domains))}"
    operators = {n.op_type for n in case.model.graph.node}
    if operators & set(RANDOM):
        return "random"
    if operators & set(TRAINING):
        return "training"
    if any(n.op_type == "BatchNormalization" and _attribute(n, "training_mode") for n in case.model.graph.node):
        return "training"
    for info in (*case.model.graph.input, *case.model.graph.output):
        if info.type.WhichOneof("value") != "tensor_type":
            return "sequences and optional values"
        if info.type.tensor_type.elem_type == onnx.TensorProto.STRING:
            return "strings"
        if info.type.tensor_type.elem_type in (onnx.TensorProto.COMPLEX64, onnx.TensorProto.COMPLEX128):
            return "complex numbers"
    if len(case.data_sets) != 1:
        return "several data sets"
    fed, wanted = arrays_of(case)
    if any(a.size == 0 for a in (*fed[:1], *wanted)):
        return "tensors without elements"
    return ""


def arrays_of(case: Any) -> tuple[list[NDArray], list[NDArray]]:
    """Give what a case feeds and what it expects."""
    fed, wanted = case.data_sets[0]
    return [_array(a) for a in fed], [_array(a) for a in wanted]


def _array(value: Any) -> NDArray:
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else np.asarray(value)


def _attribute(node: Any, name: str) -> Any:
    return next((onnx.helper.get_attribute_value(a) for a in node.attribute if a.name == name), None)


def _stored(case: Any) -> Iterator[tuple[int, ...]]:
    """Which inputs to store: none, then those of whole numbers but the first, then all but the first."""
    arrays = arrays_of(case)[0]
    yield ()
    whole = tuple(i for i, a in enumerate(arrays) if i and a.dtype.kind in "iub")
    if whole:
        yield whole
    if len(arrays) > 1 and whole != tuple(range(1, len(arrays))):
        yield tuple(range(1, len(arrays)))


def frozen(case: Any, stored: Sequence[int]) -> onnx.ModelProto:
    """The model with some of its inputs stored in it: what a user's file has as weights."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    infos = list(model.graph.input)
    for i in stored:
        model.graph.initializer.append(numpy_helper.from_array(arrays_of(case)[0][i], infos[i].name))
        model.graph.input.remove(infos[i])
    return model


def _attempt(case: Any, operator: str, stored: tuple[int, ...]) -> Result:
    names = [i.name for i in case.model.graph.input]
    kept = tuple(names[i] for i in stored)
    try:
        graph = load(frozen(case, stored))
        if not graph.inputs:
            return Result(case.name, operator, REFUSED, "nothing in it is computed from an input", kept)
        fed, wanted = arrays_of(case)
        whole = {o.name for o, w in zip(case.model.graph.output, wanted, strict=True) if _is_whole(w)}
        got = _evaluated(graph, dict(zip(names, fed, strict=True)), whole)
    except GatewrightError as error:
        return Result(case.name, operator, REFUSED, _text(error), kept)
    except Exception as error:
        return Result(case.name, operator, CRASH, f"{type(error).__name__}: {error}", kept)
    whole = graph.input_ops[0].whole
    reason = _different(case, got, whole)
    return Result(case.name, operator, WRONG if reason else PASS, reason, kept, whole)


def _text(error: GatewrightError) -> str:
    one = error.errors[0] if isinstance(error, ManyErrors) else error
    return f"{one.where}: {one.what}".partition(": ")[2].splitlines()[0][:160]


def _evaluated(graph: Graph, given: dict[str, NDArray], whole: Container[str] = ()) -> dict[str, NDArray]:
    """Give what the graph computes, as the source's tensors have it: of quantized ones the stored integers."""
    fed = {}
    for node, op in zip(graph.inputs, graph.input_ops, strict=True):
        array = _plain(given[op.name])
        coded = _is_whole(array) and isinstance(op.format, (Fixed, Affine)) and not op.strict
        array = values_of(node, array.astype(np.int64)) if coded else array
        fed[op.name] = array[None] if op.whole else array
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = evaluate(graph, fed)
    assert isinstance(results, dict)
    pairs = zip(graph.outputs, graph.output_ops, strict=True)
    return {op.name: _stored_again(n, results[op.name]) if op.name in whole else results[op.name] for n, op in pairs}


def _stored_again(node: Node, values: NDArray) -> NDArray:
    """Give the stored integers of values with a scale or a zero point."""
    if not node.type.is_integer:
        return values
    format = node.type.quantized
    scale, zero = as_array(format.scale).astype(np.float64), as_array(format.zero)
    return np.asarray(np.rint(values / scale) + zero)


def _is_whole(array: NDArray) -> bool:
    return array.dtype.kind in "iu" or array.dtype.name.startswith(("int", "uint"))


def _plain(array: NDArray) -> NDArray:
    """Numbers that numpy itself knows."""
    return np.asarray(array) if array.dtype.kind in "fiub" else np.asarray(array).astype(_numpy_kind(array))


def _numpy_kind(array: NDArray) -> type[np.float32 | np.int64]:
    return np.int64 if _is_whole(array) else np.float32


def _different(case: Any, got: dict[str, NDArray], whole: bool) -> str:
    """Say where results differ from what is expected; an empty text where they do not."""
    infos, wanted = case.model.graph.output, arrays_of(case)[1]
    if list(got) != [o.name for o in infos]:
        return f"outputs {list(got)}"
    for info, want in zip(infos, wanted, strict=True):
        have = got[info.name][0] if whole else got[info.name]
        if have.shape != want.shape:
            return f"{info.name} has shape {have.shape}, expected {want.shape}"
        short = next((t for name, t in SHORT.items() if want.dtype.name.startswith(name)), 0.0)
        exactly = want.dtype.kind == "b" or _is_whole(want)
        plain = _plain(want).astype(np.float64)
        scale = max(1.0, float(np.nanmax(np.abs(np.where(np.isfinite(plain), plain, 0.0)))))
        relative = 0.0 if exactly else short or case.rtol
        absolute = relative * scale * (1.0 if short else 0.01)
        if not np.allclose(have, plain, rtol=relative, atol=absolute, equal_nan=True):
            return f"{info.name} is off by {np.nanmax(np.abs(have - plain)):g}"
    return ""
