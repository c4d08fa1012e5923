"""Record PT2E-quantized networks: ``python -m tests.record.torch_quantized``; writes tests/data/torch/quantized.zip.

Needs the extra ``torch``. The networks are drawn, observed on drawn samples, converted by torchao, exported, and run.
"""

import warnings
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from tests.frontend.torch.networks import networks, quantized
from tests.record.torch_operators import saved

OUT = Path(__file__).parents[1] / "data" / "torch" / "quantized.zip"


def stripped(program: Any) -> Any:
    """Drop the parameters of floating point that the converter leaves behind and nothing reads."""
    used = {n.name for n in program.graph.nodes if n.op == "placeholder" and n.users}
    for spec in program.graph_signature.input_specs:
        name = getattr(spec.arg, "name", "")
        if spec.target and name not in used and spec.target in program.state_dict:
            tensor = program.state_dict[spec.target]
            tensor.data.zero_()
    return program


def main() -> None:
    import torch

    warnings.simplefilter("ignore")
    OUT.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(OUT, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, make in networks().items():
            torch.manual_seed(7)
            module, shape = make()
            converted = quantized(module.eval(), shape)
            x = torch.randn(8, *shape)
            batch = {0: torch.export.Dim("batch")}
            program = torch.export.export(converted, (x,), dynamic_shapes=(batch,))
            with torch.no_grad():
                y = program.module()(x)
            archive.writestr(f"{name}.pt2", saved(stripped(program)))
            buffer = BytesIO()
            np.savez_compressed(buffer, x0=x.numpy(), y0=y.numpy())
            archive.writestr(f"{name}.npz", buffer.getvalue())


if __name__ == "__main__":
    main()
