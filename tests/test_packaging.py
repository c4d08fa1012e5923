"""The wheel holds all that the package needs, under one name; nothing is forgotten in the lists of pyproject.toml."""

import tomllib
import zipfile
from pathlib import Path

import pytest

build = pytest.importorskip("hatchling.build", reason="the extra `test` has hatchling")
ROOT = Path(__file__).parents[1]
FOLDERS = ("graph", "boards", "frontend", "lowering", "backends", "simulation", "reports", "explore")
FRONT = ROOT / "src" / "gatewright"
NOT_SHIPPED = {".pyc", ".md"}


def wanted() -> set[str]:
    """What the tree says belongs into the package: every file in the folders and in the front door."""
    files = [f for folder in FOLDERS for f in (ROOT / folder).rglob("*") if f.is_file() and f.suffix not in NOT_SHIPPED]
    inside = {f"gatewright/{f.relative_to(ROOT).as_posix()}" for f in files}
    return inside | {f"gatewright/{f.name}" for f in FRONT.iterdir() if f.is_file()}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    folder = tmp_path_factory.mktemp("wheel")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        name = build.build_wheel(str(folder))
    with zipfile.ZipFile(folder / name) as z:
        return set(z.namelist())


def test_the_wheel_holds_every_file_of_the_package(wheel: set[str]) -> None:
    assert not wanted() - wheel, "add to only-include in pyproject.toml"


def test_the_wheel_holds_each_kind_of_file(wheel: set[str]) -> None:
    """The test above compares with the tree; here is what the tree must have."""
    assert {
        "gatewright/__init__.py",
        "gatewright/cli.py",
        "gatewright/py.typed",
        "gatewright/manifest.schema.json",
    } <= wheel
    assert any(n.startswith("gatewright/boards/") and n.endswith(".toml") for n in wheel)
    assert any(n.startswith("gatewright/backends/hls4ml/") and n.endswith(".h") for n in wheel)
    assert {f"gatewright/reports/page/templates/{name}" for name in ("page.html", "style.css", "script.js")} <= wheel


def test_nothing_else_is_installed(wheel: set[str]) -> None:
    """No bare folder called graph or frontend beside the package, no tests, no compiled files."""
    tops = {n.partition("/")[0] for n in wheel}
    assert tops == {"gatewright", next(t for t in tops if t.endswith(".dist-info"))}
    strange = {n for n in wheel if n.startswith("gatewright/")} - wanted()
    assert not {n for n in strange if not n.endswith(".md")}
    assert not {n for n in wheel if n.endswith(".pyc") or "__pycache__" in n}


def test_the_source_archive_lists_what_the_wheel_does() -> None:
    targets = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]
    in_wheel, in_source = (set(targets[kind]["only-include"]) for kind in ("wheel", "sdist"))
    assert in_wheel < in_source
    assert {f"src/gatewright/{f.name}" for f in FRONT.iterdir() if f.is_file()} | set(FOLDERS) == in_wheel
    assert {"tests", "README.md", "LICENSE"} <= in_source
