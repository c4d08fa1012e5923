"""The store of lessons: nothing lost, damage set aside, estimates nearer to what the tools say."""

import json
from pathlib import Path

import pytest

from gatewright.simulation.calibration import Lesson, add, apply, read_store, store_path
from gatewright.simulation.design import Design, LayerSpec, Type
from gatewright.simulation.resources import resources

TYPES = {"input": Type(16, 6), "weight": Type(8, 1), "accum": Type(16, 6), "output": Type(16, 6)}
LAYER = LayerSpec("d", "dense", sizes={"n_in": 64, "n_out": 64}, types=TYPES)
DESIGN = Design("parallel", (LAYER,), "vitis", "2023.2", "xcu250", "virtexuplus", dataflow=False)


def lesson(ratio: float, number: int = 0, estimated: float = 20000.0) -> Lesson:
    return Lesson("vitis parallel", "hls", "lut", estimated, estimated * ratio, f"{number:064x}")


def test_an_empty_store_changes_nothing(tmp_path: Path) -> None:
    assert read_store(tmp_path / "none.jsonl") == ([], [])
    assert read_store(None) == ([], [])
    found = resources(DESIGN)
    assert apply(found, DESIGN, []) is found


def test_lessons_are_kept_once(tmp_path: Path) -> None:
    path = tmp_path / "deep/store.jsonl"
    assert add(path, [lesson(1.5, 1), lesson(1.4, 2)]) == 2
    assert add(path, [lesson(1.5, 1), lesson(1.3, 3)]) == 1
    assert [x.sha256[-1] for x in read_store(path)[0]] == ["1", "2", "3"]


def test_damaged_lines_are_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "store.jsonl"
    add(path, [lesson(1.5, 1)])
    broken = path.read_text() + '{"kind": 3}\nnot json\n' + json.dumps({"level": "hls"}) + "\n"
    path.write_text(broken)
    lessons, told = read_store(path)
    assert len(lessons) == 1
    assert "3 damaged lines" in told[0]
    assert (tmp_path / "store.jsonl.damaged-1").read_text() == broken
    assert read_store(path) == (lessons, [])


@pytest.mark.parametrize("ratio", [0.5, 1.6, 3.0])
def test_estimates_move_towards_what_was_reported(ratio: float) -> None:
    plain = resources(DESIGN).total["hls"]["lut"]
    errors = []
    for count in (0, 1, 3, 10):
        lessons = [lesson(ratio, i, plain.value) for i in range(count)]
        figure = apply(resources(DESIGN), DESIGN, lessons).total["hls"]["lut"]
        errors.append(abs(figure.value - plain.value * ratio))
        assert figure.low <= figure.value <= figure.high
        if count:
            assert figure.low <= plain.value * ratio * 1.02
            assert figure.high >= plain.value * ratio * 0.98
            assert f"calibrated with {count} of your own reports" in figure.source
    assert errors == sorted(errors, reverse=True)


def test_other_classes_and_levels_teach_nothing() -> None:
    from dataclasses import replace

    found = resources(DESIGN)
    lessons = [replace(lesson(2.0), kind="vivado stream"), replace(lesson(2.0), level="synthesis", resource="ff")]
    after = apply(found, DESIGN, lessons)
    assert after.total["hls"] == found.total["hls"]
    assert after.total["synthesis"]["lut"] == found.total["synthesis"]["lut"]
    assert after.total["synthesis"]["ff"].value > found.total["synthesis"]["ff"].value


def test_where_the_store_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWRIGHT_CALIBRATION", "none")
    assert store_path() is None
    assert store_path("here.jsonl") == Path("here.jsonl")
    monkeypatch.delenv("GATEWRIGHT_CALIBRATION")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert store_path() == Path("/data/gatewright/calibration.jsonl")


@pytest.mark.parametrize("number", ["Infinity", "NaN", "1e300", "-1", '"7"', "null", "1" + "0" * 400])
def test_numbers_that_no_device_has_are_damage(tmp_path: Path, number: str) -> None:
    path = tmp_path / "store.jsonl"
    add(path, [lesson(1.5, 1)])
    good = path.read_text()
    path.write_text(good + good.replace("30000.0", number))
    assert number in path.read_text()
    lessons, told = read_store(path)
    assert (len(lessons), len(told)) == (1, 1)


def test_a_last_line_without_its_end_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "store.jsonl"
    add(path, [lesson(1.5, 1)])
    path.write_text(path.read_text().rstrip("\n"))
    assert add(path, [lesson(1.4, 2)]) == 1
    lessons, told = read_store(path)
    assert (len(lessons), told) == (2, [])


def test_damaged_bytes_are_kept_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "store.jsonl"
    path.write_bytes(b"\xff\xfe\n")
    assert read_store(path)[0] == []
    assert (tmp_path / "store.jsonl.damaged-1").read_bytes() == b"\xff\xfe\n"


def test_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    path = tmp_path / "store.jsonl"
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: add(path, [lesson(1.5, i)]), range(24)))
    assert len(read_store(path)[0]) == 24
