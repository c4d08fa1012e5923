"""Vendor reports: each kind read, damage refused by name, import and calibration as a user runs them."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gatewright.cli import app
from gatewright.graph import GatewrightError
from gatewright.reports.vendor import find_reports, read_report

from . import vendor_samples as samples

ROOT = Path(__file__).parents[2]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def read(tmp_path: Path, text: str, name: str = "report.rpt"):  # type: ignore[no-untyped-def]
    (tmp_path / name).write_text(text)
    return read_report(tmp_path / name)


def test_csynth_xml(tmp_path: Path) -> None:
    found = read(tmp_path, samples.CSYNTH_XML, "csynth.xml")
    assert (found.tool, found.version, found.level, found.top) == ("Vitis HLS", "2023.2", "hls", "digits_qkeras")
    assert found.resources == {"bram": 12, "dsp": 10, "ff": 9000, "lut": 30000, "uram": 0}
    assert (found.latency, found.interval) == ((40, 47), (11, 12))
    assert found.clock == {"target": 10.0, "estimated": 7.123}
    assert found.modules["dense_latency_ap_ufixed_ap_fixed_hidden_s"]["lut"] == 20000


@pytest.mark.parametrize("text", [samples.CSYNTH_RPT, samples.CSYNTH_OLD], ids=["2019.2", "older"])
def test_csynth_rpt(tmp_path: Path, text: str) -> None:
    found = read(tmp_path, text)
    assert (found.tool, found.version, found.part) == ("Vivado HLS", "2019.2", "xc7z020-clg400-1")
    assert found.resources == {"bram": 11, "dsp": 10, "ff": 8500, "lut": 29000, "uram": 0}
    assert (found.latency, found.interval) == ((41, 48), (12, 13))
    assert found.clock == {"target": 10.0, "estimated": 8.25}


def test_vivado(tmp_path: Path) -> None:
    synthesis, placed = read(tmp_path, samples.UTILIZATION), read(tmp_path, samples.PLACED)
    assert (synthesis.level, placed.level) == ("synthesis", "implementation")
    assert synthesis.resources == placed.resources == {"lut": 14321, "ff": 6012, "dsp": 9, "bram": 11}
    assert synthesis.version == "2020.1"
    timing = read(tmp_path, samples.TIMING)
    assert timing.clock == {"target": 10.0, "achieved": 10.412}
    assert timing.level == "implementation"


def test_export_cosim_quartus(tmp_path: Path) -> None:
    export = read(tmp_path, samples.EXPORT)
    assert (export.level, export.clock) == ("implementation", {"target": 10.0, "achieved": 9.731})
    assert export.resources == {"lut": 13012, "ff": 5900, "dsp": 9, "bram": 11}
    cosim = read(tmp_path, samples.COSIM)
    assert (cosim.level, cosim.latency, cosim.interval) == ("cosim", (44, 45), (12, 12))
    fitter = read(tmp_path, samples.QUARTUS, "digits.fit.summary")
    assert (fitter.level, fitter.version) == ("implementation", "20.1.0")
    assert fitter.resources["alm"] == 12345
    assert fitter.resources["dsp"] == 7


def test_hierarchy_export_xml_and_fitter(tmp_path: Path) -> None:
    found = read(tmp_path, samples.HIERARCHY)
    assert (found.level, found.top) == ("implementation", "digits_qkeras")
    assert found.resources == {"lut": 5000, "ff": 3000, "bram": 7, "dsp": 4}
    assert list(found.modules) == ["hidden_U0"]
    export = read(tmp_path, samples.EXPORT_XML, "digits_export.xml")
    assert (export.level, export.clock) == ("implementation", {"target": 5.0, "achieved": 4.41})
    assert export.resources == {"lut": 3100, "ff": 2200, "dsp": 8, "bram": 3}
    fitter = read(tmp_path, samples.FITTER, "digits.fit.rpt")
    assert (fitter.level, fitter.version) == ("implementation", "20.1.0")
    assert fitter.resources == {"alm": 9358, "ff": 4350, "dsp": 16}


@pytest.mark.parametrize(
    ("state", "level"),
    [("Synthesized", "synthesis"), ("Unplaced", "synthesis"), ("Optimized", "synthesis"), ("Routed", "implementation"),
     ("Physopt postRoute", "implementation")],
)  # fmt: skip
def test_level_is_the_state_of_the_design(tmp_path: Path, state: str, level: str) -> None:
    text = samples.UTILIZATION.replace("State : Synthesized", f"State : {state}")
    assert read(tmp_path, text).level == level


def test_only_a_target_is_no_clock_that_was_reached(tmp_path: Path) -> None:
    text = samples.CSYNTH_XML.replace("<EstimatedClockPeriod>7.123</EstimatedClockPeriod>", "")
    found = read(tmp_path, text, "csynth.xml")
    assert found.clock == {"target": 10.0}
    assert "clock_ns" not in found.as_dict()


def test_latencies_out_of_order_are_none(tmp_path: Path) -> None:
    text = samples.CSYNTH_XML.replace("<Best-caseLatency>40<", "<Best-caseLatency>400<")
    found = read(tmp_path, text, "csynth.xml")
    assert found.latency is None
    found.as_dict()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("no report at all\n", "of no tool that is known"),
        (samples.CSYNTH_XML[:900], "is no whole XML"),
        ("<profile/>", "is no report of a synthesis"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><profile/>', "declarations of entities"),
        (samples.CSYNTH_RPT[:1800], "no row of totals"),
        (samples.COSIM.replace("Pass", "Fail"), "that passed"),
        (samples.QUARTUS.replace("Successful", "Failed"), "of no tool that is known|did not succeed"),
    ],
)
def test_what_cannot_be_read_is_told(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(GatewrightError, match=message) as caught:
        read(tmp_path, text)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("name", ["CSYNTH_XML", "CSYNTH_RPT", "UTILIZATION", "TIMING", "EXPORT", "COSIM", "QUARTUS"])
def test_cut_anywhere_is_right_or_refused(tmp_path: Path, name: str) -> None:
    whole = getattr(samples, name)
    wanted = read(tmp_path, whole, "a.xml" if name == "CSYNTH_XML" else "a.rpt").resources
    for end in range(0, len(whole), max(1, len(whole) // 120)):
        try:
            found = read(tmp_path, whole[:end], "b.xml" if name == "CSYNTH_XML" else "b.rpt")
        except GatewrightError:
            continue
        digits = [n for n in found.resources if found.resources[n] != wanted[n]]
        assert len(digits) <= 1, end  # at most the number in which it was cut


def test_binary_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.rpt").write_bytes(bytes(range(256)) * 20)
    with pytest.raises(GatewrightError, match="is not text"):
        read_report(tmp_path / "x.rpt")


def test_folders_are_searched(tmp_path: Path) -> None:
    folder = tmp_path / "solution1/syn/report"
    folder.mkdir(parents=True)
    (folder / "csynth.xml").write_text(samples.CSYNTH_XML)
    (folder / "digits_qkeras_csynth.rpt").write_text(samples.CSYNTH_RPT)
    assert [f.name for f in find_reports(tmp_path)] == ["csynth.xml"]
    (folder / "../../.autopilot").mkdir()
    (folder / "../../.autopilot/csynth.xml").write_text("the tool's own")
    for inner in (folder, folder.parent):
        assert [f.name for f in find_reports(inner)] == ["csynth.xml"]
    assert len(find_reports(tmp_path)) == 1
    (tmp_path / "empty").mkdir()
    with pytest.raises(GatewrightError, match="no report"):
        find_reports(tmp_path / "empty")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vendor") / "digits"
    model = ROOT / "examples/digits_qkeras.h5"
    assert run("compile", model, "--board", "pynq-z2", "--no-verify", "--out", path).exit_code == 0
    return path


@pytest.fixture
def output(compiled: Path, tmp_path: Path) -> Path:
    shutil.copytree(compiled, tmp_path / "out")
    return tmp_path / "out"


def test_import_puts_reported_beside_estimated(output: Path, tmp_path: Path) -> None:
    (tmp_path / "csynth.xml").write_text(samples.CSYNTH_XML)
    (tmp_path / "synth.rpt").write_text(samples.UTILIZATION)
    result = run("report", output, "--import", tmp_path / "csynth.xml", "--import", tmp_path / "synth.rpt")
    assert result.exit_code == 0, result.output
    assert "Vitis HLS 2023.2" in result.output
    assert "in the band" in result.output
    document = json.loads(run("report", output, "--json").stdout)
    assert [r["level"] for r in document["vendor"]] == ["hls", "synthesis"]
    assert document["vendor"][0]["resources"]["lut"]["kind"] == "vendor"
    assert document["vendor"][0]["layers"]["hidden"]["lut"] == 20000
    assert b"Vitis HLS 2023.2" in (output / "report.html").read_bytes()
    run("report", output, "--import", tmp_path / "csynth.xml")
    assert len(json.loads(run("report", output, "--json").stdout)["vendor"]) == 2
    assert run("simulate", output).exit_code == 0


def test_a_report_of_another_design_is_refused(output: Path, tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(samples.CSYNTH_XML.replace("xc7z020-clg400-1", "xcvu9p-flga2104-2L-e"))
    (tmp_path / "b.xml").write_text(samples.CSYNTH_XML.replace("digits_qkeras", "other"))
    before = (output / "manifest.json").read_bytes()
    for name, message in (("a.xml", "part"), ("b.xml", "function")):
        result = run("report", output, "--import", tmp_path / name)
        assert result.exit_code == 1
        assert message in result.output
    assert (output / "manifest.json").read_bytes() == before
    assert run("report", output, "--import", tmp_path / "b.xml", "--force").exit_code == 0


def test_later_estimates_learn(output: Path, tmp_path: Path) -> None:
    store = tmp_path / "store.jsonl"
    (tmp_path / "csynth.xml").write_text(samples.CSYNTH_XML)
    result = run("report", output, "--import", tmp_path / "csynth.xml", "--calibration", store)
    assert "figures learnt" in result.output
    assert len(store.read_text().splitlines()) == 4
    run("report", output, "--import", tmp_path / "csynth.xml", "--calibration", store)
    assert len(store.read_text().splitlines()) == 4


def test_cosimulation_of_the_project_is_imported(output: Path, tmp_path: Path) -> None:
    (tmp_path / "digits_qkeras_cosim.rpt").write_text(samples.COSIM)
    result = run("report", output, "--import", tmp_path / "digits_qkeras_cosim.rpt", "--calibration", "none")
    assert result.exit_code == 0, result.output
    entry = json.loads(run("report", output, "--json").stdout)["vendor"][0]
    assert (entry["level"], entry["latency_cycles"]["value"]) == ("cosim", 45)


def test_a_short_name_of_the_part_is_the_part(output: Path, tmp_path: Path) -> None:
    for part in ("7z020clg400-1", "xc7z020", "xc7z020-clg400"):
        (tmp_path / "u.rpt").write_text(samples.UTILIZATION.replace("7z020clg400-1", part))
        result = run("report", output, "--import", tmp_path / "u.rpt", "--calibration", "none")
        assert result.exit_code == 0, result.output


def test_what_was_forced_teaches_nothing(output: Path, tmp_path: Path) -> None:
    store = tmp_path / "store.jsonl"
    (tmp_path / "b.xml").write_text(samples.CSYNTH_XML.replace("digits_qkeras", "other"))
    result = run("report", output, "--import", tmp_path / "b.xml", "--force", "--calibration", store)
    assert result.exit_code == 0, result.output
    assert not store.exists()


def test_a_store_that_cannot_be_written_is_told(output: Path, tmp_path: Path) -> None:
    (tmp_path / "csynth.xml").write_text(samples.CSYNTH_XML)
    (tmp_path / "file").write_text("")
    result = run("report", output, "--import", tmp_path / "csynth.xml", "--calibration", tmp_path / "file/store")
    assert result.exit_code == 0, result.output
    assert "nothing learnt" in result.output
    assert len(json.loads(run("report", output, "--json").stdout)["vendor"]) == 1


def test_text_reports_of_modules_belong_to_their_top_function(output: Path, tmp_path: Path) -> None:
    folder = tmp_path / "solution1/syn/report"
    folder.mkdir(parents=True)
    (folder / "digits_qkeras_csynth.rpt").write_text(samples.CSYNTH_RPT)
    module = samples.CSYNTH_RPT.replace("'digits_qkeras'", "'dense_hidden_s'").replace("29000", "21000")
    (folder / "dense_hidden_s_csynth.rpt").write_text(module)
    result = run("report", output, "--import", tmp_path / "solution1", "--calibration", "none")
    assert result.exit_code == 0, result.output
    (entry,) = json.loads(run("report", output, "--json").stdout)["vendor"]
    assert entry["resources"]["lut"]["value"] == 29000
    assert entry["layers"]["hidden"]["lut"] == 21000


def test_instances_of_a_text_report_are_its_modules(tmp_path: Path) -> None:
    table = """
+ Detail:
    * Instance:
    +---------------+-------------+---------+-------+------+-------+-----+
    |    Instance   |    Module   | BRAM_18K| DSP48E|  FF  |  LUT  | URAM|
    +---------------+-------------+---------+-------+------+-------+-----+
    |dense_hidden_U0|dense_hidden |        0|     10|  8000|  28000|    0|
    +---------------+-------------+---------+-------+------+-------+-----+
    |Total          |             |        0|     10|  8000|  28000|    0|
    +---------------+-------------+---------+-------+------+-------+-----+
"""
    found = read(tmp_path, samples.CSYNTH_RPT + table)
    assert found.modules == {"dense_hidden": {"bram": 0, "dsp": 10, "ff": 8000, "lut": 28000, "uram": 0}}
    assert found.resources["lut"] == 29000


def test_a_module_belongs_to_the_longest_name_that_it_holds() -> None:
    from gatewright.vendor import _layers

    manifest = {"cost": {"layers": [{"name": "conv"}, {"name": "conv_relu"}, {"name": "on"}]}}
    modules = {"relu_ap_fixed_conv_relu_s": {"lut": 5.0}, "conv_2d_conv_s": {"lut": 7.0}}
    assert _layers(manifest, modules) == {"conv": {"lut": 7.0}, "conv_relu": {"lut": 5.0}}
