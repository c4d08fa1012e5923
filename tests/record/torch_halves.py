"""Record what PyTorch gives in floats of 16 bits: python tests/record/torch_halves.py (torch).

One network in each, and its answers, in tests/data/torch/halves.zip.
"""

import io
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import nn

KINDS = {"float16": torch.float16, "bfloat16": torch.bfloat16}
OUT = Path(__file__).parents[1] / "data/torch/halves.zip"


class Network(nn.Module):
    """Convolutions, norms, a transformer's layer, and a softmax in float32."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.apart = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.rows, self.last = nn.LayerNorm(8), nn.Linear(8, 5)
        self.encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Give probabilities."""
        x = torch.relu(self.norm(self.conv(x)))
        x = nn.functional.max_pool2d(x + self.apart(x), 2).flatten(2).transpose(1, 2)
        x = self.encoder(self.rows(x))
        return torch.softmax(self.last(x.mean(1)).float(), -1)


def main() -> None:
    """Write the archive."""
    torch.manual_seed(0)
    torch.backends.mha.set_fastpath_enabled(False)
    x = torch.randn(4, 3, 8, 8)
    answers = {"x": x.numpy()}
    with zipfile.ZipFile(OUT, "w", zipfile.ZIP_DEFLATED) as archive, tempfile.TemporaryDirectory() as folder:
        for name, kind in KINDS.items():
            model = Network().eval().to(kind)
            torch.export.save(torch.export.export(model, (x[:1].to(kind),)), Path(folder) / "model.pt2")
            archive.write(Path(folder) / "model.pt2", f"{name}.pt2")
            parts = [model(x[i : i + 1].to(kind)) for i in range(len(x))]
            answers[name] = torch.cat(parts).detach().float().numpy()
        stream = io.BytesIO()
        np.savez(stream, **answers)
        archive.writestr("answers.npz", stream.getvalue())


if __name__ == "__main__":
    main()
