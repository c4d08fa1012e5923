"""What users do wrong with a compiled firmware: told, and nothing is written."""

import json
from pathlib import Path

import numpy as np
import pytest

import gatewright as gw
from gatewright.backends.firmware.emit import FILE
from gatewright.cli import main
from gatewright.output import read_manifest

from ...tvm.networks import digits
from .cores import place, symbols
from .made import changed, described

pytest.importorskip("unicorn", reason="cores are emulated by unicorn")
IMAGE = "image/digits_qkeras.elf"


@pytest.fixture(scope="module")
def project() -> gw.Project:
    return gw.compile(digits(), board="cortex-m4", vectors=1)


@pytest.fixture
def written(project: gw.Project, tmp_path: Path) -> Path:
    project.write(tmp_path / "out")
    return tmp_path / "out"


def _broken(written: Path, project: gw.Project, weights: str) -> None:
    """Change a weight in the image that was written."""
    from gatewright.backends.project import Project

    image = project.artefact[IMAGE]
    address = symbols(image)[weights][0]
    data = changed(Project(project.artefact), IMAGE, place(image, address), 0x20)
    (written / "project" / IMAGE).write_bytes(data)


def _last_layer(project: gw.Project) -> dict[str, object]:
    from gatewright.backends.project import Project

    layers = described(Project(project.artefact))["layers"]
    found: dict[str, object] = next(layer for layer in reversed(layers) if layer["macs"])
    return found


def test_a_damaged_image_is_told_and_names_the_layer(project: gw.Project, written: Path) -> None:
    layer = _last_layer(project)
    _broken(written, project, layer["weights"][0])  # type: ignore[index]
    with pytest.raises(gw.FileError, match=f"was changed since it was compiled: project/{IMAGE}"):
        gw.open(written)
    module = gw.open(written, force=True)
    with pytest.raises(gw.FileError, match=f"{IMAGE}: the image's self-test fails at {layer['name']}"):
        module(np.zeros((1, 8, 8, 1)))


def test_an_image_that_is_no_program_is_told(project: gw.Project, written: Path) -> None:
    path, image = written / "project" / IMAGE, project.artefact[IMAGE]
    code = place(image, symbols(image)["digits_qkeras_selftest"][0] & ~1)
    for data in (image[: len(image) // 2], image[:code] + b"\xff\xde" + image[code + 2 :]):  # udf
        path.write_bytes(data)
        with pytest.raises(gw.FileError, match=f"{IMAGE}: (is no whole ELF image|the image's self-test stops: )"):
            gw.open(written, force=True)(np.zeros((1, 8, 8, 1)))


def test_a_damaged_description_is_told(written: Path) -> None:
    path = written / "project" / FILE
    found = json.loads(path.read_text())
    del found["arena_bytes"]
    path.write_text(json.dumps(found))
    with pytest.raises(gw.FileError, match=rf"{FILE}: damaged"):
        gw.open(written, force=True)(np.zeros((1, 8, 8, 1)))


def test_an_image_that_is_not_there_is_told(written: Path) -> None:
    (written / "project" / IMAGE).unlink()
    with pytest.raises(gw.FileError, match=IMAGE):
        gw.open(written)


def test_inputs_of_the_wrong_size_are_told(
    written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "x.npy", np.zeros((3, 5)))
    before = sorted(tmp_path.rglob("*"))
    given = [str(written), "--engine", "artefact", "--inputs", str(tmp_path / "x.npy")]
    outputs = ["--outputs", str(tmp_path / "y.npy")]
    monkeypatch.setattr("sys.argv", ["gatewright", "simulate", *given, *outputs])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 1
    assert "(3, 5)" in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


def test_a_network_that_does_not_fit_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatewright.backends.firmware.memory_map.STACK", 1 << 30)
    with pytest.raises(gw.UnsupportedError, match=r"the arena needs"):
        gw.compile(digits(), board="cortex-m4").write(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_manifest_has_arena_and_flash(written: Path) -> None:
    memory = read_manifest(written)["cost"]["memory"]
    assert {"arena_bytes", "flash_bytes"} <= set(memory)
    assert all(figure["kind"] in ("exact", "simulated") for figure in memory.values())
