"""Every recorded operator, as exported and as decomposed, against the outputs that PyTorch gave."""

import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

import gatewright as gw

DATA = Path(__file__).parents[2] / "data" / "torch" / "operators.zip"
with zipfile.ZipFile(DATA) as _archive:
    NAMES = sorted(n for n in _archive.namelist() if n.endswith(".pt2"))
REFUSED = {
    "conv2d_circular.core": "empty", "rrelu.core": "empty", "pad_circular.core": "empty",
    "identity_relu_inplace.core": "it changes its input",
}  # fmt: skip
"""Decompositions that write into memory which is not there yet, or into their input."""


@pytest.mark.parametrize("name", NAMES)
def test_gives_what_pytorch_gives(name: str, tmp_path: Path) -> None:
    case = name.removesuffix(".pt2")
    with zipfile.ZipFile(DATA) as archive:
        path = tmp_path / name
        path.write_bytes(archive.read(name))
        arrays = np.load(BytesIO(archive.read(f"{case.removesuffix('.core')}.npz")))
    inputs = [arrays[k] for k in sorted(arrays) if k.startswith("x")]
    wanted = [arrays[k] for k in sorted(arrays) if k.startswith("y")]
    if case in REFUSED:
        with pytest.raises(gw.GatewrightError, match=REFUSED[case]):
            gw.load(path)
        return
    got = gw.evaluate(gw.load(path), inputs)
    got = got if isinstance(got, tuple) else (got,)
    assert len(got) == len(wanted)
    for ours, theirs in zip(got, wanted, strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-5 * max(float(np.abs(theirs).max()), 1.0))
