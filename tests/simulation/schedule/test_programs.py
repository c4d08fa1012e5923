"""Programs of streaming processes, and the whole schedule."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gatewright.backends.hls4ml import make_options
from gatewright.backends.hls4ml.plan import make_plan
from gatewright.boards import load as load_board
from gatewright.frontend import load
from gatewright.graph import UnsupportedError
from gatewright.lowering import lower
from gatewright.simulation.design import Design, LayerSpec, Type, of_plan
from gatewright.simulation.schedule import network, printed, program, timing
from gatewright.simulation.schedule.cores import multipliers
from gatewright.simulation.stream import simulate

ROOT = Path(__file__).parents[3]
BOARD = load_board("alveo-u250")


def design_of(name: str, io: str, **options: object) -> Design:
    graph = lower(load(ROOT / "examples" / name), board=BOARD)
    chosen = make_options(BOARD, io=io, **options)  # type: ignore[arg-type]
    return of_plan(make_plan(graph, chosen), chosen)


def conv(**sizes: int) -> LayerSpec:
    return LayerSpec(
        "conv", "conv2d", inputs=("x",), outputs=("y",), shapes=((6, 6, 1),), out_shapes=((4, 4, 2),),
        sizes={
            "in_height": 6, "in_width": 6, "out_height": 4, "out_width": 4, "n_chan": 1, "n_filt": 2, "filt_height": 3,
            "filt_width": 3, "stride_height": 1, "stride_width": 1, **sizes,
        },
        types={"input": Type(8, 1), "weight": Type(8, 1), "accum": Type(20, 5), "output": Type(16, 5)},
    )  # fmt: skip


STREAM = Design("stream", (), "vitis", "2023.2", "xcu250", "virtexuplus")


def test_a_line_buffer_writes_where_a_window_is_complete() -> None:
    found = program(conv(), STREAM)
    assert found.reads[0].tolist() == list(range(36))
    depth = found.writes[0][0] - 14  # the third place of the third row
    assert found.writes[0].tolist() == [depth + 6 * r + c for r in range(2, 6) for c in range(2, 6)]
    assert found.length == 36 + depth + 1


def test_strategy_resource_does_not_overlap_windows() -> None:
    """Vitis: 4 cycles a place, 5 beside the reuse factor where a window is complete."""
    found = program(replace(conv(), strategy="resource", reuse_factor=9), STREAM)
    assert found.length - 1 == 20 * 4 + 16 * 14
    assert (found.least - 1, found.printed - 1) == (36 * 4, 36 * 14)


def test_an_unknown_layer_is_named() -> None:
    with pytest.raises(UnsupportedError, match="no schedule is known of wavelet"):
        program(LayerSpec("w", "kernel", "wavelet", inputs=("x",), outputs=("y",)), STREAM)


@pytest.mark.parametrize("name", ["digits_cnn.keras", "digits_qkeras.h5", "jet_tagger.h5"])
def test_examples_stream_without_a_stall(name: str) -> None:
    """hls4ml's depths hold whole tensors: nothing waits for room but the source."""
    found = design_of(name, "stream")
    run = simulate(network(found), 3)
    assert run.deadlock is None
    for process in run.network.processes:
        if not process.name.startswith("source"):
            assert run.activity(process).waits_output == 0 or run.frames > 1
    one = simulate(network(found))
    assert all(one.activity(p).waits_output == 0 for p in one.network.processes if not p.name.startswith("source"))
    told = timing(found, run)
    assert told.latency.value == run.latency
    assert told.interval.value >= max(p.length for p in run.network.processes)


def test_a_higher_reuse_factor_takes_longer() -> None:
    slow, fast = (
        timing(design_of("jet_tagger.h5", "parallel", strategy="resource", reuse_factor=r)).latency.value
        for r in (32, 4)
    )
    assert slow > fast


def test_resource_layers_take_their_reuse_factor() -> None:
    design = design_of("jet_tagger.h5", "parallel", strategy="resource", reuse_factor=16)
    found = timing(design)
    dense = [found.layers[spec.name] for spec in design.layers if spec.op == "dense"]
    assert dense
    assert {t.interval.value for t in dense} == {16}
    assert {t.latency.value for t in dense} == {17}


def test_multipliers_of_strategy_latency() -> None:
    """hls4ml: ceil(n_in n_out / RF) - floor(zeros / RF); of two digits at most, none is a multiplier."""
    from gatewright.simulation.design import statistics

    weights = statistics(np.array([[3, 0, 5], [1, 2, 0]]))
    dense = LayerSpec("d", "dense", sizes={"n_in": 2, "n_out": 3}, reuse_factor=2, weights={"weight": weights})
    assert multipliers(dense) == (0, 2)


def test_what_a_report_prints_lies_between_its_bounds() -> None:
    """Resource: the maximum, as if every place had a complete window. Latency: at most the reuse factor a place."""
    slow = printed([program(replace(conv(), strategy="resource", reuse_factor=9), STREAM)])
    assert slow.value == 36 * 14 + 1
    assert slow.low == 36 * 4 + 1
    assert slow.high > 36 * 14
    shared = printed([program(replace(conv(), reuse_factor=64), STREAM)])
    assert shared.low <= shared.value < 36 * 64 < shared.high


def test_vivado_2020_copies_windows_of_several_channels_element_by_element() -> None:
    design = replace(STREAM, tool="vivado", version="2020.1")
    spec = replace(conv(n_chan=4), strategy="resource", reuse_factor=9)
    assert program(spec, design).printed == 36 * (9 + 36 + 1) + 1
    assert program(spec, replace(design, version="2019.2")).printed == 36 * (9 + 6) + 1


def test_layers_of_a_slow_device_have_registers_between_them() -> None:
    layers = tuple(
        LayerSpec(f"d{i}", "dense", inputs=(f"x{i}",), outputs=(f"x{i + 1}",), sizes={"n_in": 4, "n_out": 4},
                  reuse_factor=2)
        for i in range(5)
    )  # fmt: skip
    slow = Design("parallel", layers, family="zynq", clock_ns=4.0, dataflow=False)
    told = timing(slow)
    assert told.style == "pipeline"
    assert told.latency.value == sum(t.latency.value for t in told.layers.values()) + 4
    unshared = timing(Design("parallel", tuple(_once(s) for s in layers), family="zynq", clock_ns=4.0, dataflow=False))
    assert unshared.latency.value == sum(t.latency.value for t in unshared.layers.values()) + 4 + 5
    fast = timing(Design("parallel", layers, family="virtexuplus", clock_ns=10.0, dataflow=False))
    assert fast.latency.value == round(sum(t.latency.value for t in fast.layers.values()) + 0.7 * 4)


def _once(spec: LayerSpec) -> LayerSpec:
    return replace(spec, reuse_factor=1)


def test_layers_without_connections_have_the_report_s_figures() -> None:
    """As a report gives them: no operands, no shapes."""
    bare = replace(conv(), inputs=(), outputs=(), shapes=(), out_shapes=(), strategy="resource", reuse_factor=9)
    told = timing(Design("stream", (bare, LayerSpec("a", "activation", "relu", sizes={"n_in": 32, "n_chan": 2}))))
    assert told.latency == told.hls_latency
    assert told.latency.kind == "estimated"
    assert told.hls_latency.value == 36 * 14 + 1


def test_one_resource_layer_is_exact_and_several_are_not() -> None:
    dense = LayerSpec(
        "d", "dense", inputs=("x",), outputs=("y",), sizes={"n_in": 8, "n_out": 8}, strategy="resource", reuse_factor=16
    )
    one = timing(Design("parallel", (dense,)))
    assert (one.latency.value, one.latency.kind) == (18, "exact")
    narrow = replace(dense, types={"weight": Type(4, 1)})
    assert timing(Design("parallel", (narrow,))).latency.value == 17
    second = replace(dense, name="e", inputs=("y",), outputs=("z",))
    two = timing(Design("parallel", (dense, second)))
    assert two.latency.value == 36
    assert two.latency.low < 36 < two.latency.high
    assert two.interval.value == 18


def test_a_design_of_nothing_takes_no_time() -> None:
    assert timing(Design("parallel", ())).latency.value == 0
