"""Record what PyTorch computes: ``python -m tests.record.torch_operators [NAME ...]``; writes tests/data/torch/.

With names only these cases are made again. Needs the extra ``torch``. Each case is exported with an open batch where
PyTorch can, else with a batch of 2, and once more after decomposition to the core operators, where that is another
program.
"""

import sys
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from tests.frontend.torch.cases import Case, operators

OUT = Path(__file__).parents[1] / "data" / "torch" / "operators.zip"


def exported(module: Any, inputs: tuple[Any, ...]) -> Any:
    """Export with an open batch, or with a fixed one where PyTorch finds that it is not open."""
    import torch

    axes: Any = ({0: torch.export.Dim("batch")},) * len(inputs)
    try:
        return torch.export.export(module, inputs, dynamic_shapes=(axes,) if hasattr(module, "function") else axes)
    except Exception:
        return torch.export.export(module, inputs)


def saved(program: Any) -> bytes:
    """Give the bytes of a .pt2 file, without the traces of where it was made."""
    import torch

    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)
    buffer = BytesIO()
    torch.export.save(program, buffer)
    return buffer.getvalue()


def recorded(name: str, make: Callable[[], Case]) -> dict[str, bytes]:
    """Give the files of a case by name."""
    import torch

    module, inputs = make()
    with torch.no_grad():
        outputs = module(*(x.clone() for x in inputs))
    outputs = outputs if isinstance(outputs, tuple | list) else (outputs,)
    program = exported(module, inputs)
    core = program.run_decompositions()
    files = {f"{name}.pt2": saved(program)}
    if [n.target for n in core.graph.nodes] != [n.target for n in program.graph.nodes]:
        files[f"{name}.core.pt2"] = saved(core)
    buffer = BytesIO()
    arrays = {f"x{i}": x.numpy() for i, x in enumerate(inputs)} | {f"y{i}": y.numpy() for i, y in enumerate(outputs)}
    np.savez_compressed(buffer, **arrays)
    return files | {f"{name}.npz": buffer.getvalue()}


def main(names: list[str]) -> None:
    files: dict[str, bytes] = {}
    if names and OUT.exists():
        with zipfile.ZipFile(OUT) as archive:
            files = {n: archive.read(n) for n in archive.namelist()}
    for name, make in operators().items():
        if not names or name in names:
            files |= recorded(name, make)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(OUT, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(files):
            archive.writestr(name, files[name])


if __name__ == "__main__":
    main(sys.argv[1:])
