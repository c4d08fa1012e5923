"""hls4ml at work: our layers become its model, checked type by type, written to a temporary directory and read back."""

import errno
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from ...graph import FileError, GatewrightError, OptionError, UnsupportedError
from .extension import KIND, precision, register
from .layers import HlsType, Layer, Wire
from .options import Options
from .plan import Plan
from .reuse import Schedule

HEAVY = ("keras", "tensorflow", "torch", "tf_keras", "qkeras", "onnx", "qonnx", "brevitas", "hgq", "sympy")
"""Packages that hls4ml imports when they are there, and that nothing here needs."""


STAMPED = (".sh", "CMakeLists.txt", "Makefile", "_bridge.cpp")
"""Ends of the files into which hls4ml writes the random stamp of a run."""


@contextmanager
def light_imports() -> Iterator[None]:
    """Let no heavy framework be imported inside; those that are loaded already stay as they are.

    hls4ml's writer tries ``import keras``, which loads TensorFlow or torch: minutes and gigabytes for nothing.
    """
    masked = [name for name in HEAVY if name not in sys.modules]
    for name in masked:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in masked:
            if name in sys.modules and sys.modules[name] is None:
                del sys.modules[name]


def write(plan: Plan, options: Options, name: str) -> dict[str, bytes]:
    """Let hls4ml write the project ``name``; give its files by relative path. Raises UnsupportedError where hls4ml
    refuses.
    """
    _require_hls4ml()
    with light_imports(), tempfile.TemporaryDirectory(prefix="gatewright-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with redirect_stdout(StringIO()) as said:
            try:
                model = _model(plan, options, name, f"{folder}/project")  # some writers put an archive beside it
                _check(model, plan)
                _write(model, options)
            except GatewrightError:
                raise
            except Exception as error:  # hls4ml raises bare Exception, AssertionError, KeyError ...
                raise _failure(error, said.getvalue()) from error
        root = Path(folder) / "project"
        paths = sorted(p for p in root.rglob("*") if p.is_file())
        files = {p.relative_to(root).as_posix(): p.read_bytes() for p in paths}
        return {path: _lasting(path, data, root, model.config.config["Stamp"]) for path, data in files.items()}


def _lasting(path: str, data: bytes, root: Path, stamp: str) -> bytes:
    """Take the temporary directory's name out of a file, and the random stamp out of what names a library."""
    for place in (str(root.resolve()), str(root)):
        data = data.replace(place.encode(), b".")
    return data.replace(stamp.encode(), b"00000000") if path.endswith(STAMPED) else data


def _write(model: Any, options: Options) -> None:
    """Let hls4ml write. Its wheel lacks Libero's build_lib.sh (for a simulation that needs SmartHLS), which then
    stays out.
    """
    writer = model.config.backend.writer
    if options.tool != "libero":
        model.write()
        return
    original = writer.write_build_script

    def without_simulation(graph: Any) -> None:
        try:
            original(graph)
        except FileNotFoundError as error:
            if not str(error.filename).endswith("build_lib.sh"):
                raise

    writer.write_build_script = without_simulation
    try:
        model.write()
    finally:
        del writer.write_build_script


def _require_hls4ml() -> None:
    """Import hls4ml, which is light, with nothing masked: it remembers for the whole process what it found."""
    try:
        import hls4ml.model.graph  # noqa: F401
    except ImportError as error:
        raise OptionError(f"hls4ml cannot be imported: {error}", hint="pip install hls4ml==1.3.0") from None


def _failure(error: Exception, said: str) -> GatewrightError:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
        return FileError(f"cannot write the HLS project: {error.strerror}", where=tempfile.gettempdir())
    last = said.strip().splitlines()[-1:] or [""]
    text = " ".join(str(error).split())[:300] or type(error).__name__
    return UnsupportedError(
        f"hls4ml refused the network: {text}", hint=f"hls4ml said: {last[0][:200]}" if last[0] else ""
    )


def _model(plan: Plan, options: Options, name: str, folder: str) -> Any:
    from hls4ml.model.graph import ModelGraph
    from hls4ml.utils.config import create_config

    register(options.backend)
    arguments: dict[str, Any] = {"part": options.part, "clock_period": options.clock_ns, "io_type": f"io_{options.io}"}
    if options.tool == "libero":
        arguments["smarthls_path"] = "SmartHLS"  # else hls4ml looks for the installation, which writing does not need
    config = create_config(output_dir=folder, project_name=name, backend=options.backend, **arguments)
    config["WriterConfig"] = {
        "WriteWeightsTxt": True, "WriteTar": False, "TBOutputStream": "both",
        **config.get("WriterConfig", {}), "Namespace": options.namespace or None,
    }  # fmt: skip
    config["TraceOutput"] = options.verifiable
    config["HLSConfig"] = {
        "Model": {"Precision": {"default": "fixed<16,6>"}, "ReuseFactor": 1, "Strategy": "Latency", "BitExact": False,
                  "PipelineStyle": _style(plan, options)},
        "LayerName": {
            **{w.name: _ports_config(w) for w in plan.inputs},
            **{y.name: _config(y, plan) for y in plan.layers},
        },
    }
    entries = [_input(w) for w in plan.inputs] + [_entry(y, plan.schedules.get(y.name)) for y in plan.layers]
    return ModelGraph.from_layer_list(
        config, entries, inputs=[w.name for w in plan.inputs], outputs=[w.name for w in plan.outputs]
    )


def _style(plan: Plan, options: Options) -> str:
    if not options.verifiable:
        return "auto"
    return "dataflow" if plan.dataflow else "pipeline"


def _ports_config(wire: Wire) -> dict[str, Any]:
    return {"Precision": {"result": precision(wire.type)}}


def _config(layer: Layer, plan: Plan) -> dict[str, Any]:
    types = {"result": layer.outputs[0].type, **layer.types}
    config: dict[str, Any] = {"Precision": {name: precision(type) for name, type in types.items()}, "Trace": True}
    if layer.kernel is None and (chosen := plan.schedules.get(layer.name)) is not None:
        config |= {"Strategy": chosen.strategy, "ReuseFactor": chosen.reuse_factor}
    return config


def _input(wire: Wire) -> dict[str, Any]:
    return {"name": wire.name, "class_name": "InputLayer", "input_shape": list(wire.shape)}


def _entry(layer: Layer, chosen: Schedule | None) -> dict[str, Any]:
    entry = {
        "name": layer.name, "class_name": layer.kind, "inputs": [w.name for w in layer.inputs],
        "outputs": [w.name for w in layer.outputs], **layer.attributes,
    }  # fmt: skip
    if layer.kernel is not None:
        entry |= {"gw_kernel": layer.kernel, "gw_shape": layer.outputs[0].shape, "gw_type": layer.outputs[0].type}
        entry["reuse_factor"] = chosen.reuse_factor if chosen else 1
    return entry


def _check(model: Any, plan: Plan) -> None:
    """Compare what hls4ml made of the layers with what was asked: its passes change, merge and remove layers."""
    made: Mapping[str, Any] = {layer.name: layer for layer in model.get_layers()}
    for layer in plan.layers:
        node = made.get(layer.name) or made.get(f"repack_{layer.name}")
        if node is None:
            raise _changed(layer, "removed it")
        if layer.kind != "Reshape" and not node.get_attr("function_cpp"):
            raise _changed(layer, "has no code for it in this back end")
        for wire in layer.outputs:
            variable = model.output_vars.get(wire.name)
            alike = _same_numbers if layer.kind == "Reshape" else _same
            if variable is None or not alike(variable.type.precision, wire.type):
                found = "no type" if variable is None else f"the type {variable.type.precision}"
                raise _changed(layer, f"gave it {found} in place of {wire.type.format}")
        chosen = plan.schedules.get(layer.name)
        unrolled = chosen is not None and chosen.strategy == "distributed_arithmetic"
        for name, type in layer.types.items():
            if unrolled and name != "accum" and name not in node.weights:
                continue  # the weights have become adders
            found = node.get_attr(f"{name}_t") if name == "accum" else node.weights[name].type
            if not (_holds(found.precision, type) if name == "accum" else _same(found.precision, type)):
                raise _changed(layer, f"gave its {name} the type {found.precision} in place of {type.format}")
        if layer.kernel is not None:
            continue
        if chosen is not None and (node.get_attr("strategy"), node.get_attr("reuse_factor")) != (
            chosen.strategy,
            chosen.reuse_factor,
        ):
            raise _changed(
                layer, f"chose {node.get_attr('strategy')} with reuse factor {node.get_attr('reuse_factor')}"
            )
    if len(model.get_output_variables()) != len(plan.outputs):
        raise UnsupportedError("hls4ml changed the outputs")


def _same(found: Any, type: HlsType) -> bool:
    asked = (type.width, type.integer, type.signed, str(type.rounding), str(type.overflow))
    return asked == (found.width, found.integer, found.signed, str(found.rounding_mode), str(found.saturation_mode))


def _same_numbers(found: Any, type: HlsType) -> bool:
    """Whether two types hold the same numbers: a view has the type of what it views, with modes that it never uses."""
    return (type.width, type.integer, type.signed) == (found.width, found.integer, found.signed)


def _holds(found: Any, type: HlsType) -> bool:
    """Whether an accumulator holds all that the asked type does (Catapult widens that of pooling)."""
    extra = found.integer - type.integer
    return extra >= 0 and (found.width - extra, found.signed) == (type.width, type.signed)


def _changed(layer: Layer, what: str) -> UnsupportedError:
    where = layer.outputs[0].node.where if layer.outputs[0].node else layer.name
    return UnsupportedError(f"hls4ml changed layer {layer.name} ({layer.kind}): it {what}", where=where)


__all__ = ["KIND", "light_imports", "write"]
