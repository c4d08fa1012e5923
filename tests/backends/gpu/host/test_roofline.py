"""What launches cost: measured where the device is, else by the board's figures, and it says which of both."""

import json
from pathlib import Path
from typing import Any

import pytest

import gatewright as gw
from gatewright.backends.gpu.host import read_project
from gatewright.backends.gpu.host.roofline import OVERHEAD, Peaks, bounds, estimate, peaks_of
from gatewright.graph import OptionError
from gatewright.profile import profile
from gatewright.reports.profile import render

from ...tvm.networks import small_cnn
from .projects import files
from .test_cuda import driver, stand_in

__all__ = ["driver", "stand_in"]


def lines(document: dict[str, Any]) -> str:
    from rich.console import Console

    console = Console(width=160)
    with console.capture() as captured:
        console.print(render(document))
    return captured.get()


def test_products_and_memory_bound_a_launch() -> None:
    plan, sources, _ = read_project(files("cuda"))
    product, narrow = bounds(plan, sources, Peaks(1e12, 2e12, 8e12, 1e9, 32))
    assert (product.kind, narrow.kind) == ("integer", "integer")  # the product's own function hides __dp4a
    assert product.bound == "memory"
    assert product.least == (4096 * 2 + 4096 * 4) / 1e9
    slow, _ = bounds(plan, sources, Peaks(1e9, 2e9, None, 1e12, 32))
    assert slow.bound == "products"
    assert slow.least == pytest.approx(64**3 / (0.5e9 * 16 / 32))  # 16 blocks on 32 units


def test_an_estimate_has_a_band_and_a_cost_of_launches() -> None:
    plan, sources, _ = read_project(files("cuda"))
    found = estimate(plan, sources, gw.boards()["cuda-h100"])
    assert found.low < found.total < found.high
    assert found.total > 2 * OVERHEAD["cuda"]


@pytest.mark.parametrize("board", [b for b in gw.boards().values() if b.kind == "gpu"], ids=lambda b: b.name)
def test_boards_give_figures_or_say_that_they_have_none(board: gw.Board) -> None:
    if board.peaks or any(m.bandwidth_gb_s for m in board.memories):
        found = peaks_of(board)
        assert found.bandwidth or found.floats
    else:
        with pytest.raises(OptionError, match="neither the peaks nor the bandwidth"):
            peaks_of(board)


def test_a_model_is_estimated_for_boards_that_are_not_here(tmp_path: Path) -> None:
    small_cnn().save(tmp_path / "m.gw")
    document = profile(str(tmp_path / "m.gw"), ["cuda-h100", "metal-a17"])
    first, second = document["designs"]
    assert (first["target"], second["target"]) == ("gpu-cuda", "gpu-metal")
    assert first["launches"]["seconds"]["kind"] == "estimated"
    assert all(0 <= layer["roofline"] <= 1 for layer in first["launches"]["layers"])
    assert sum(layer["macs"] for layer in first["launches"]["layers"]) == first["macs"]
    text = " ".join(lines(document).split())
    assert "estimated (roofline of cuda-h100" in text
    assert (
        "roofline of metal-a17, 5 us a launch assumed, as is the band; the peak of its arithmetic is not known" in text
    )
    json.dumps(document)


def test_a_project_is_measured_where_its_device_is(
    driver: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = gw.compile(small_cnn(), board="cuda-h100", verify=False)
    project.write(tmp_path / "out")
    plan, sources, _ = read_project(project.artefact)
    from gatewright.backends.gpu.host.emulator import library_of

    marks = ",".join(f"{k.entry}:{''.join(str(int(w)) for w in k.writes)}" for k in plan.kernels.values())
    monkeypatch.setenv("STAND_IN_KERNELS", str(library_of(plan, sources)))
    monkeypatch.setenv("STAND_IN_ENTRIES", marks)
    found = profile(str(tmp_path / "out"), [])["designs"][0]
    assert found["launches"]["seconds"]["kind"] == "measured"
    assert found["launches"]["seconds"]["source"].startswith("CUDA on Stand-in 90")
    assert [layer["seconds"] for layer in found["launches"]["layers"]] == pytest.approx([0.25e-3] * len(plan.launches))
    assert "measured (CUDA on Stand-in 90" in lines({"model": "out", "designs": [found]})


def test_a_project_for_a_board_file_that_is_gone_says_so(tmp_path: Path) -> None:
    board = Path(gw.__file__).parent / "boards" / "data" / "cuda-h100.toml"
    own = tmp_path / "mine.toml"
    own.write_text(board.read_text().replace('name = "cuda-h100"', 'name = "mine"'))
    gw.compile(small_cnn(), board=own, verify=False).write(tmp_path / "out")
    with pytest.raises(OptionError, match="the board is not known by name"):
        profile(str(tmp_path / "out"), [])


def test_the_manifest_tells_what_is_known(tmp_path: Path) -> None:
    known = gw.compile(small_cnn(), board="cuda-h100", verify=False)
    cost = known.manifest["cost"]
    assert cost["latency_s"]["kind"] == "estimated"
    assert cost["latency_s"]["low"] < cost["latency_s"]["value"] < cost["latency_s"]["high"]
    assert cost["memory"]["constants_bytes"]["value"] == len(known.artefact["src/constants.bin"])
    known.write(tmp_path / "out")
    assert gw.open(tmp_path / "out").manifest["cost"] == cost
    unknown = gw.compile(small_cnn(), board="opencl-mali-g715", verify=False)
    assert set(unknown.manifest["cost"]) == {"memory"}
