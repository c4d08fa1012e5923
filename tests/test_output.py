"""The output directory: all or nothing, nothing of the user's is lost, the same bytes for the same inputs."""

import errno
import json
import os
from pathlib import Path

import jsonschema
import numpy as np
import pytest

import gatewright as gw
from gatewright.manifest import schema
from gatewright.output import write_directory

from .models import tiny

X = np.random.default_rng(1).uniform(-4, 4, (40, 4)).astype(np.float32)


def compiled(**options: object) -> gw.Project:
    return gw.compile(tiny(), board="host", samples=X, vectors=32, **options)


def snapshot(path: Path) -> dict[str, bytes]:
    return {str(f.relative_to(path)): f.read_bytes() for f in sorted(path.rglob("*")) if f.is_file()}


def test_manifest_meets_its_schema_and_names_every_file(tmp_path: Path) -> None:
    compiled().write(tmp_path / "out")
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    jsonschema.validate(manifest, schema())
    files = snapshot(tmp_path / "out")
    assert {f["path"] for f in manifest["files"]} == files.keys() - {"manifest.json", "report.html"}
    assert manifest["macs"] == 4 * 6 + 6 * 3
    assert manifest["parameters"] == 4 * 6 + 6 + 6 * 3 + 3
    inserted = [entry for entry in (*manifest["inputs"], *manifest["layers"]) if entry["inserted"]]
    assert [entry["name"] for entry in inserted] == ["x"]
    low, high = inserted[0]["range"]["seen"]
    assert (low, high) == (float(np.rint(X * 8192).min() / 8192), float(np.rint(X * 8192).max() / 8192))


def test_saturation_is_counted() -> None:
    x = np.array([[0, 0, 0, 100.0], [0, 31, -33, 0]], np.float32)
    config = {"layer": [{"name": "x", "precision": "fixed<16,6>"}]}
    manifest = gw.compile(tiny(), board="host", samples=x, config=config).manifest
    assert manifest["inputs"][0]["range"]["clipped"] == 2
    assert manifest["inputs"][0]["range"]["count"] == 8


def test_same_inputs_same_bytes_wherever(tmp_path: Path) -> None:
    tiny().save(tmp_path / "a.gw")
    (tmp_path / "deeper").mkdir()
    tiny().save(tmp_path / "deeper/a.gw")
    first = gw.compile(tmp_path / "a.gw", board="host").files
    second = gw.compile(str(tmp_path / "deeper/a.gw"), board="host").files
    assert first == second


def test_the_directory_loads_without_the_source(tmp_path: Path) -> None:
    project = compiled()
    project.write(tmp_path / "out")
    graph = gw.load(tmp_path / "out")
    assert str(graph) == str(project.graph)
    np.testing.assert_array_equal(gw.evaluate(graph, X), gw.evaluate(project.graph, X))
    np.testing.assert_array_equal(gw.open(tmp_path / "out")(X), gw.evaluate(project.graph, X))


def test_a_directory_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.tex").write_text("x")
    for force in (False, True):
        with pytest.raises(gw.FileError, match="was not written by gatewright"):
            compiled().write(tmp_path / "mine", force=force)
    assert snapshot(tmp_path / "mine") == {"thesis.tex": b"x"}
    (tmp_path / "file").write_text("x")
    with pytest.raises(gw.FileError, match="is not a directory"):
        compiled().write(tmp_path / "file")


@pytest.mark.parametrize("change", ["edit", "add"])
def test_what_the_user_changed_needs_force(tmp_path: Path, change: str) -> None:
    out = tmp_path / "out"
    compiled().write(out)
    compiled().write(out)
    target = out / ("graph.json" if change == "edit" else "notes.txt")
    target.write_text("mine")
    before = snapshot(out)
    with pytest.raises(gw.FileError, match="was changed since it was compiled"):
        compiled().write(out)
    assert snapshot(out) == before
    compiled().write(out, force=True)
    assert snapshot(out) == dict(compiled().files.items())


@pytest.mark.parametrize("fail_at", range(1, 4))
def test_a_full_disk_leaves_everything_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fail_at: int) -> None:
    out = tmp_path / "out"
    write_directory(out, compiled().files)
    before, calls, real = snapshot(out), [0], Path.write_bytes
    files = gw.compile(tiny(3), board="host").files

    def write(self: Path, data: bytes) -> int:
        calls[0] += 1
        if calls[0] == fail_at:
            real(self, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(self, data)

    monkeypatch.setattr(Path, "write_bytes", write)
    with pytest.raises(gw.FileError, match="No space left"):
        write_directory(out, files)
    monkeypatch.undo()
    assert snapshot(out) == before
    assert os.listdir(tmp_path) == ["out"]


def test_where_names_cannot_be_exchanged_the_old_one_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    write_directory(out, compiled().files)
    monkeypatch.setattr("gatewright.output._exchange", lambda a, b: False)
    write_directory(out, gw.compile(tiny(3), board="host").files)
    before, real = snapshot(out), Path.rename

    def rename(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise OSError(errno.EIO, "Input/output error")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(gw.FileError, match="Input/output error"):
        write_directory(out, compiled().files)
    monkeypatch.undo()
    assert snapshot(out) == before


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"gatewright": "1"}', "[" * 200_000])
def test_a_damaged_manifest_is_one_clear_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(gw.FileError):
        gw.open(tmp_path)
