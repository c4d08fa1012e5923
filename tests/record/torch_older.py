"""Write one program in the layouts of PyTorch 2.5 and 2.8: ``python -m tests.record.torch_older``.

Needs the extra ``torch``, whose serializer still makes the parts. Files of PyTorch 2.8 have one pickled dictionary of
weights in the archive of today; those of 2.5 are four entries of a plain zip file.
"""

import zipfile
from io import BytesIO
from pathlib import Path

from tests.frontend.torch.cases import operators
from tests.record.torch_operators import saved

OUT = Path(__file__).parents[1] / "data" / "torch" / "older.zip"


def main() -> None:
    import torch
    from torch._export.serde.serialize import serialize

    module, inputs = operators()["linear"]()
    program = torch.export.export(module, inputs)
    newest = saved(program)
    parts = serialize(program)
    older, between = BytesIO(), BytesIO()
    with zipfile.ZipFile(older, "w") as archive:
        archive.writestr("serialized_exported_program.json", parts.exported_program)
        archive.writestr("serialized_state_dict.pt", parts.state_dict)
        archive.writestr("serialized_constants.pt", parts.constants)
        archive.writestr("serialized_example_inputs.pt", parts.example_inputs)
        archive.writestr("version", "8.2")
    with zipfile.ZipFile(between, "w") as archive:
        archive.writestr("linear/archive_format", "pt2")
        archive.writestr("linear/models/model.json", parts.exported_program)
        archive.writestr("linear/data/weights/model.pt", parts.state_dict)
        archive.writestr("linear/data/constants/model.pt", parts.constants)
    with zipfile.ZipFile(OUT, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("linear_2_5.pt2", older.getvalue())
        archive.writestr("linear_2_8.pt2", between.getvalue())
        archive.writestr("linear_2_13.pt2", newest)


if __name__ == "__main__":
    main()
