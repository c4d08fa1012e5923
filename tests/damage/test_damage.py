"""A fixed sample of damaged files of every format, in a process with limited memory; and files that are hostile."""

import contextlib
import io
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from gatewright.frontend import load
from gatewright.graph import GatewrightError
from gatewright.graph.file import archive, npy, to_bytes

from ..drawn import network
from ..fuzz.core import fuzzers
from ..fuzz.harness import Run, fuzz
from .corpus import corpus
from .mutate import damaged, draw

EACH = int(os.environ.get("GATEWRIGHT_DAMAGED", "80"))
DAMAGE = {n: f for n, f in fuzzers().items() if n.startswith("damage-")}


@pytest.mark.parametrize("name", sorted(DAMAGE))
def test_damaged_files_are_refused_or_run(name: str, tmp_path: Path) -> None:
    if DAMAGE[name].missing:
        pytest.skip(f"needs {', '.join(DAMAGE[name].missing)}")
    report = fuzz(DAMAGE[name], Run(seed=1, cases=EACH, folder=tmp_path, shrink_s=10))
    assert not report.failed, str(report)
    assert report.counts["refused"] > EACH // 10, str(report)


def test_damage_follows_from_the_seed() -> None:
    for suffix, files in corpus().items():
        steps = [draw(np.random.default_rng(s), suffix) for s in (1, 1, 2)]
        assert steps[0] == steps[1] != steps[2]
        others = [g.data for g in files]
        made = [damaged(files[0].data, s, others) for s in steps]
        assert made[0] == made[1]


class Canary:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.path), "w")


def test_a_pickle_among_the_weights_is_not_run(tmp_path: Path) -> None:
    canary = tmp_path / "sings"
    files = to_bytes(network(0))
    with zipfile.ZipFile(io.BytesIO(files["weights.npz"])) as z:
        names = z.namelist()
    held = np.array([Canary(canary)], dtype=object)
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, held, allow_pickle=True)
    for content in (buffer.getvalue(), pickle.dumps(Canary(canary))):
        weights = archive(dict.fromkeys(names, content))
        (tmp_path / "m.gw").write_bytes(archive({**files, "weights.npz": weights}))
        with pytest.raises(GatewrightError):
            load(tmp_path / "m.gw")
        for suffix in (".pt2", ".pt", ".pth", ".keras", ".h5", ".onnx", ".tflite", ".json"):
            (tmp_path / f"m{suffix}").write_bytes(content)
            with pytest.raises(GatewrightError):
                load(tmp_path / f"m{suffix}")
            with zipfile.ZipFile(tmp_path / f"m{suffix}", "w") as z:
                z.writestr("m/data.pkl", content)
                z.writestr("data.pkl", content)
                z.writestr("config.json", "{}")
            with pytest.raises(GatewrightError):
                load(tmp_path / f"m{suffix}")
    assert not canary.exists()


@pytest.mark.parametrize("suffix", [".keras", ".gw", ".pt2"])
def test_members_that_climb_out_are_not_written(suffix: str, tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    for good in corpus().get(suffix, ())[:3]:
        with zipfile.ZipFile(io.BytesIO(good.data)) as z:
            members = {n: z.read(n) for n in z.namelist()}
        with zipfile.ZipFile(inner / f"m{suffix}", "w") as z:
            for name, content in members.items():
                z.writestr(name, content)
            for name in ("../../climbed", "/tmp/gatewright-climbed", "..\\climbed"):
                z.writestr(name, b"x")
        with contextlib.suppress(GatewrightError):
            load(inner / f"m{suffix}")
        assert sorted(p.name for p in tmp_path.rglob("*")) == ["a", "b", f"m{suffix}"]
        assert not Path("/tmp/gatewright-climbed").exists()


def test_a_bomb_in_our_own_format(tmp_path: Path) -> None:
    """Members that would unpack to far more than they are, or say so."""
    files = to_bytes(network(0))
    with zipfile.ZipFile(tmp_path / "m.gw", "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("graph.json", files["graph.json"])
        z.writestr("weights.npz", bytes(300 << 20))
    with pytest.raises(GatewrightError, match="compressed"):
        load(tmp_path / "m.gw")
    huge = npy(np.zeros(4, np.float32)).replace(b"(4,)", b"(9999999999,)")
    with zipfile.ZipFile(io.BytesIO(files["weights.npz"])) as z:
        names = z.namelist()
    (tmp_path / "m.gw").write_bytes(archive({**files, "weights.npz": archive(dict.fromkeys(names, huge))}))
    with pytest.raises(GatewrightError):
        load(tmp_path / "m.gw")


@pytest.mark.parametrize("length", [0, 2**64 - 16, 1 << 40])
def test_a_heap_on_which_the_library_would_run_for_ever(length: int, tmp_path: Path) -> None:
    """An object of a global heap that is as long as nothing, or as more than there is."""
    (good,) = [g for g in corpus()[".h5"] if g.name == "examples/jet_tagger.h5"]
    at = good.data.find(b"GCOL") + 16
    assert at > 16
    entry = (0 if length == 0 else 1).to_bytes(2, "little") + bytes(6) + length.to_bytes(8, "little")
    (tmp_path / "m.h5").write_bytes(good.data[:at] + entry + good.data[at + 16 :])
    with pytest.raises(GatewrightError, match="heap"):
        load(tmp_path / "m.h5")
