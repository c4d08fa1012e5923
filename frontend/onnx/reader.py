"""From bytes to a ``ModelProto`` whose frame is sound: it has a graph, a known opset, and no functions left."""

from pathlib import Path
from typing import Any

from ...graph import FileError, UnsupportedError

OLDEST_OPSET = 7
MAX_BYTES = 1 << 31
"""What protobuf itself can hold."""

DAMAGED = "export the model again; onnx.checker.check_model may say more"


def read_file(path: Path) -> Any:
    """Read a ``.onnx`` file. Raises FileError where it is missing or is not one."""
    import onnx

    where = str(path)
    try:
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "no such file" if not path.exists() else "is not a regular file"
            raise FileError(what, where=where, hint="give the name of a .onnx file")
        if path.stat().st_size > MAX_BYTES:
            raise FileError("is larger than 2 GiB", where=where, hint="save it with external data")
        data = path.read_bytes()
    except OSError as error:
        raise FileError(
            f"cannot be read: {error.strerror}", where=where, hint="check the name and the permissions"
        ) from None
    if not data:
        raise FileError("is empty", where=where, hint="export the model again")
    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:  # protobuf's DecodeError; its class differs between implementations
        raise FileError(f"is not an ONNX file: {error}", where=where, hint=DAMAGED) from error
    return _sound(model, where)


def check_object(model: Any) -> Any:
    """Check a live object. Raises UnsupportedError where it is not a ``ModelProto``."""
    import onnx

    if not isinstance(model, onnx.ModelProto):
        raise UnsupportedError(f"cannot import a {type(model).__name__}", hint="pass an onnx.ModelProto")
    return _sound(model, model.graph.name or "onnx model")


def _sound(model: Any, where: str) -> Any:
    if not model.HasField("graph") or not (model.graph.output or model.graph.node):
        raise FileError("is not an ONNX model: there is no graph in it", where=where, hint=DAMAGED)
    _check_text(model, where)
    if model.functions:
        model = _inline(model, where)
    opset_of(model, where)
    return model


def _check_text(model: Any, where: str) -> None:
    """Refuse names that are not UTF-8: protobuf gives them as bytes."""
    graph = model.graph
    nodes = [*graph.node, *(n for f in model.functions for n in f.node)]
    infos = [*graph.input, *graph.output]
    texts = [graph.name, *(t.name for t in graph.initializer), *(i.name for i in infos)]
    texts += [t for n in nodes for t in (n.op_type, n.domain, n.name, *n.input, *n.output)]
    texts += [t for n in nodes for a in n.attribute for t in (a.name, a.ref_attr_name)]
    texts += [d.dim_param for i in infos for d in i.type.tensor_type.shape.dim]
    texts += [o.domain for o in model.opset_import]
    texts += [t for i in graph.initializer for e in i.external_data for t in (e.key, e.value)]
    if not all(isinstance(t, str) for t in texts):
        raise FileError("a name in it is not text", where=where, hint=DAMAGED)


def opset_of(model: Any, where: str) -> int:
    """Give the version of the default operator set.

    Raises FileError where there is none, UnsupportedError where it is out of range.
    """
    import onnx

    newest = onnx.defs.onnx_opset_version()
    versions = {o.version for o in model.opset_import if o.domain in ("", "ai.onnx")}
    if len(versions) != 1:
        raise FileError(f"it names {len(versions)} versions of the ONNX operators", where=where, hint=DAMAGED)
    version = int(versions.pop())
    if not OLDEST_OPSET <= version <= newest:
        raise UnsupportedError(
            f"operator set {version} is not supported, only {OLDEST_OPSET} to {newest}",
            where=where,
            hint="convert it with onnx.version_converter.convert_version"
            if version < OLDEST_OPSET
            else "upgrade the onnx package, or export with an older opset",
        )
    return version


def _inline(model: Any, where: str) -> Any:
    """Replace calls of the model's own functions by their bodies."""
    import onnx.inliner

    _check_recursion({(f.domain, f.name): {(n.domain, n.op_type) for n in f.node} for f in model.functions}, where)
    try:
        return onnx.inliner.inline_local_functions(model)
    except Exception as error:  # pybind11 exceptions of several kinds
        raise FileError(f"its functions cannot be inlined: {error}", where=where, hint=DAMAGED) from error


def _check_recursion(calls: dict[tuple[str, str], set[tuple[str, str]]], where: str) -> None:
    """Refuse functions that call each other in a circle; expanding them would never end."""
    left = {name: callees & set(calls) for name, callees in calls.items()}
    while left:
        leaves = [name for name, callees in left.items() if not callees & set(left)]
        if not leaves:
            names = ", ".join(sorted(name for _, name in left))
            raise FileError(f"its functions call each other in a circle: {names}", where=where, hint=DAMAGED)
        for name in leaves:
            del left[name]
