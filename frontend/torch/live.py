"""Live modules: exported in the user's process, saved in memory, read as a file would be."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any

from ...graph import GatewrightError, Graph, UnsupportedError
from .archive import Contents, read
from .importer import import_program

GIVE = "pass example tensors: gw.load(module, inputs=(x,))"


def exported(model: Any, inputs: Any) -> Graph:
    """Import an ``ExportedProgram``, or a ``torch.nn.Module`` with examples of its inputs.

    What cannot be imported as it is, PyTorch makes functional, then decomposes, and it is tried again.
    """
    import torch

    name = type(model).__name__
    if isinstance(model, torch.export.ExportedProgram):
        if inputs is not None:
            raise UnsupportedError("inputs= goes with a module", where=name, hint="a program has its own; leave it out")
        program = model
    elif isinstance(model, torch.nn.Module):
        program = _export(model, inputs, name)
    else:
        raise UnsupportedError(f"cannot import an object of type {name}", hint="a module or an ExportedProgram")
    try:
        return import_program(_saved(program, name), source=name, name=name)
    except GatewrightError:
        choices: tuple[dict[Any, Any] | None, ...] = ({}, None)
        for decompositions in choices:  # made functional, then decomposed to the core operators
            try:
                simpler = program.run_decompositions(decompositions)
                return import_program(_saved(simpler, name), source=name, name=name)
            except Exception:  # the first error says what the user wrote
                continue
        raise


def _export(model: Any, inputs: Any, name: str) -> Any:
    import torch

    if any(type(m).__module__.partition(".")[0] == "brevitas" for m in model.modules()):
        hint = "export it as QONNX: brevitas.export.export_qonnx(model, args=x, export_path='model.onnx')"
        raise UnsupportedError("a live Brevitas module is not read", where=name, hint=hint)
    if any(isinstance(m, torch.jit.ScriptModule) for m in model.modules()):
        raise UnsupportedError(
            "a TorchScript module is not read", where=name, hint="export the module that it was made of"
        )
    if inputs is None:
        raise UnsupportedError("a module needs examples of its inputs", where=name, hint=GIVE)
    if not isinstance(model, torch.fx.GraphModule) and any(m.training for m in model.modules()):
        what = "the module is in training mode"
        raise UnsupportedError(
            what,
            where=name,
            hint="call model.eval() first",
        )
    args, kwargs = _arguments(inputs)
    try:
        return torch.export.export(model, args, kwargs)
    except Exception as error:  # torch.export raises many kinds
        what = f"torch.export cannot export it: {str(error).strip().splitlines()[0] if str(error).strip() else error!r}"
        raise UnsupportedError(
            what, where=name, hint="see torch.export's own message: torch.export.export(module, inputs)"
        ) from error


def _arguments(inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any] | None]:
    import numpy as np
    import torch

    def tensor(value: Any) -> Any:
        return torch.from_numpy(np.ascontiguousarray(value)) if isinstance(value, np.ndarray) else value

    if isinstance(inputs, Mapping):
        return (), {k: tensor(v) for k, v in inputs.items()}
    items = tuple(inputs) if isinstance(inputs, tuple | list) else (inputs,)
    return tuple(tensor(v) for v in items), None


def _saved(program: Any, name: str) -> Contents:
    """Write a program into memory and read it back as a file."""
    import torch

    buffer = BytesIO()
    try:
        torch.export.save(program, buffer)
    except Exception as error:  # torch raises many kinds
        what = f"torch.export.save cannot write it: {error}"
        raise UnsupportedError(what, where=name, hint="use the operators of PyTorch itself") from error
    return read(buffer.getvalue(), name)
