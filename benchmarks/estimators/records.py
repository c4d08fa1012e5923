"""Reports of designs, as ``Design`` and what the tools said of them.

Reads a directory with ``designs.jsonl``, ``modules.csv``, ``dense_sweep*.csv``, ``jedi*.csv`` and ``deeppicar*.csv``,
each if it is there; what a row does not state is left out, and a row that cannot be
read, because its sizes are missing, is a record of kind ``unread`` without counts.
"""

import csv
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gatewright.simulation.design import Design, LayerSpec, Type, WeightStats, family_of

OPS = (
    (r"dense.*|compute_layer", "dense"), (r"pointwise_conv_(1|2)d.*|conv_(1|2)d.*", "conv"),
    (r"depthwise_conv_(1|2)d.*", "depthwise"), (r"pooling(1|2)d.*", "pool"), (r"global_pooling.*", "global_pool"),
    (r"zeropad(1|2)d.*", "zeropad"), (r"softmax.*", "softmax"), (r"normalize.*", "normalize"),
    (r"clone_stream.*", "clone"), (r"repack_stream.*", "repack"), (r"transpose.*", "transpose"),
    (r"resize.*", "resize"), (r"concatenate.*", "concat"), (r"layernorm.*", "layernorm"), (r"gru.*", "gru"),
    (r"lstm.*", "lstm"), (r"embedding.*", "embedding"), (r"add|subtract|multiply|average|maximum|minimum|dot1d",
    "merge"),
    (r"multiheadattention|transformer", "attention"), (r"flatten|reshape", "reshape"),
    (r"(leaky_|thresholded_|hard_)?(relu|prelu|elu|selu|linear|sigmoid|tanh|softplus|softsign)\w*", "activation"),
    (r"\w*quantize(r)?", "reshape"),
)  # fmt: skip
"""Operations of ``LayerSpec`` by the names of hls4ml's functions."""

SIZES = (
    "n_in", "n_out", "in_height", "in_width", "out_height", "out_width", "n_chan", "n_filt", "filt_height",
    "filt_width", "stride_height", "stride_width", "pad_top", "pad_bottom", "pad_left", "pad_right", "pool_height",
    "pool_width", "n_partitions", "table_size", "n_zeros", "n_sequence", "n_state", "seq_len", "num_heads",
    "head_dim_key",
)  # fmt: skip

COUNTS = {"LUT": "lut", "FF": "ff", "DSP": "dsp", "BRAM_18K": "bram", "URAM": "uram"}
"""Our names of what a report counts."""


@dataclass(frozen=True)
class Record:
    """A design with what was reported of it: ``counts`` by level, ``cycles`` (lat_min, lat_max, ii_min, ii_max)."""

    id: str
    repo: str
    design: Design
    counts: Mapping[str, Mapping[str, float]]
    cycles: Mapping[str, float] = field(default_factory=dict)
    clock_ns: Mapping[str, float] = field(default_factory=dict)
    generator: str = "hls4ml"
    kind: str = "design"
    facts: Mapping[str, float] = field(default_factory=dict)


Row = defaultdict[str, str]
"""A row of a table; "" where it has no such column."""


def read(folder: Path) -> list[Record]:
    """Read all records of a directory. Designs that were flagged as doubtful stay out."""
    found = [*designs(folder), *modules(folder), *sweep(folder), *pictures(folder), *jets(folder)]
    times: Counter[str] = Counter()
    for i, record in enumerate(found):
        if times[record.id]:  # what tells them apart is not stated
            found[i] = replace(record, id=f"{record.id} ({times[record.id]})")
        times[record.id] += 1
    return found


def _each(entries: Iterable[Any], record: Callable[[Any, str], Record | None], kind: str) -> Iterator[Record]:
    for i, entry in enumerate(entries):
        try:
            found = record(entry, f"{kind} {i}")
        except (ValueError, TypeError, KeyError, IndexError, AttributeError):
            found = Record(f"{kind} {i}", "", Design("parallel", ()), {}, kind="unread")
        if found:
            yield found


def designs(folder: Path) -> Iterator[Record]:
    """Whole designs."""
    path = folder / "designs.jsonl"
    yield from _each(path.read_text(encoding="utf-8").splitlines() if path.exists() else (), _design, "design")


def _design(line: str, name: str) -> Record | None:
    entry = json.loads(line)
    hls = entry.get("hls") or {}
    if entry.get("flags") or not isinstance(hls.get("LUT", hls.get("lat_max")), (int, float)):
        return None
    tool, version = _tool(entry.get("tool"), entry.get("tool_version"))
    clock = _number(entry.get("clk_ns")) or 5.0
    layers = tuple(_chained(_layer(each, entry) for each in entry.get("layers") or ()))
    part, uncertainty = entry.get("part") or _default_part(entry), _number(entry.get("clk_unc_ns"))
    design = Design(
        "stream" if entry.get("io_type") == "io_stream" else "parallel", layers, tool, version, part,
        family_of(part), clock, uncertainty / clock if uncertainty else None,
        _is_dataflow(layers, hls.get("pipeline"), entry.get("io_type")),
    )  # fmt: skip
    return Record(
        str(entry.get("id") or name), str(entry.get("repo") or ""), design, _levels(entry), _cycles(hls),
        _clocks(entry), entry.get("generator", "hls4ml"), "design" if entry.get("io_type") and layers else "bare",
    )  # fmt: skip


def _is_dataflow(layers: tuple[LayerSpec, ...], pipeline: str | None, io: str | None) -> bool:
    """What the report says of the top level; else hls4ml's own choice."""
    if pipeline is not None:
        return pipeline not in ("yes", "function")
    loops = any(y.op.startswith("conv") or (y.strategy == "resource" and y.reuse_factor > 1) for y in layers)
    return io == "io_stream" or loops


def _default_part(entry: Mapping[str, Any]) -> str:
    """hls4ml's own tests state no part: they take the default of its back ends."""
    return "xcvu13p-flga2577-2-e" if entry.get("source_kind") == "ci-baseline-json" else ""


def _tool(tool: str | None, version: str | None) -> tuple[str, str]:
    return ("vivado" if "Vivado" in (tool or "") else "vitis"), version or ""


def _number(value: object) -> float | None:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None


def _counts(table: Mapping[str, Any]) -> dict[str, float]:
    found = {ours: float(table[name]) for name, ours in COUNTS.items() if isinstance(table.get(name), (int, float))}
    if "dsp" not in found and isinstance(table.get("DSP48E"), (int, float)):
        found["dsp"] = float(table["DSP48E"])
    if "bram" not in found and isinstance(table.get("BRAM36_tiles"), (int, float)):
        found["bram"] = 2 * float(table["BRAM36_tiles"])
    return found


def _levels(entry: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    found = {"hls": _counts(entry.get("hls") or {})}
    if isinstance(entry.get("vivado_synth"), dict):
        found["synthesis"] = _counts(entry["vivado_synth"])
    for name, table in (entry.get("export") or {}).items():
        if isinstance(table, dict) and "LUT" in table:
            placed = "impl" in name or "CP_post_impl" in table
            level = "implementation" if placed else "synthesis"
            counts = _counts(table)
            if isinstance(table.get("BRAM"), (int, float)):
                counts["bram"] = float(table["BRAM"])
            found.setdefault(level, counts)
    return {level: counts for level, counts in found.items() if counts}


def _cycles(hls: Mapping[str, Any]) -> dict[str, float]:
    names = ("lat_min", "lat_max", "ii_min", "ii_max")
    return {name: float(hls[name]) for name in names if isinstance(hls.get(name), (int, float))}


def _clocks(entry: Mapping[str, Any]) -> dict[str, float]:
    found = {}
    if (estimate := _number(entry.get("est_clk_ns"))) is not None:
        found["hls"] = estimate
    for table in (entry.get("export") or {}).values():
        if isinstance(table, dict):
            for key, level in (("CP_post_synth", "synthesis"), ("CP_post_impl", "implementation")):
                if _number(table.get(key)):
                    found[level] = float(table[key])
    return found


def _layer(entry: Mapping[str, Any], design: Mapping[str, Any]) -> LayerSpec:
    op, function, sizes = op_of(str(entry.get("op", "")))
    found = {name: int(entry[name]) for name in SIZES if isinstance(entry.get(name), (int, float))}
    if isinstance(entry.get("mult"), dict):
        found |= {f"mult_{k}": int(entry["mult"][k]) for k in ("n_in", "n_out") if _number(entry["mult"].get(k))}
    if op in ("pool1d", "pool2d", "depthwise1d", "depthwise2d"):
        found.setdefault("n_filt", found.get("n_chan", 0))
    found["padded"] = int(entry.get("padding") == "same")
    if sizes:
        found.setdefault("filt_width", 1)
        found.setdefault("filt_height", 1)
    if entry.get("padding") == "same" and "out_width" not in found:
        for axis in ("height", "width"):
            found[f"out_{axis}"] = -(-found.get(f"in_{axis}", 1) // max(1, found.get(f"stride_{axis}", 1)))
    names = {"input": "in_type", "output": "out_type", "weight": "weight_t", "bias": "bias_t", "accum": "accum_t"}
    names |= {"table": "table_t", "exp_table": "exp_table_t", "inv_table": "inv_table_t", "scale": "scale_t"}
    types = {ours: t for ours, key in names.items() if (t := Type.parse(str(entry.get(key, ""))))}
    strategy = str(entry.get("strategy") or (design.get("yml") or {}).get("Model.Strategy") or "latency").lower()
    return LayerSpec(
        str(entry.get("name")), op, str(entry.get("pool_op") or function).lower(), sizes=found, types=types,
        strategy=strategy, reuse_factor=int(_number(entry.get("reuse_factor")) or 1),
        weights=_weights(entry.get("weights") or {}),
    )  # fmt: skip


def op_of(name: str) -> tuple[str, str, bool]:
    """Give the operation, the function, and whether it is a pointwise convolution, of a function of hls4ml's."""
    for pattern, op in OPS:
        if found := re.fullmatch(pattern, name):
            if op in ("conv", "depthwise", "pool", "zeropad"):
                axes = next(g for g in found.groups() if g)
                return f"{op}{axes}d", "", name.startswith("pointwise")
            return op, name, False
    return "other", name, False


def _weights(tables: Mapping[str, Any]) -> dict[str, WeightStats]:
    found: dict[str, WeightStats] = {}
    for name, table in tables.items():
        kind = "bias" if name.startswith("b") else "recurrent" if name.startswith("wr") else "weight"
        if kind in found or not isinstance(table, dict):
            continue
        histogram = table.get("csd_hist")
        found[kind] = WeightStats(
            int(table.get("n", 0)), int(table.get("zeros_q", table.get("zeros", 0))),
            Type.parse(str(table.get("type"))),
            tuple(histogram) if histogram else None, table.get("csd_digits"), table.get("distinct_q"),
            table.get("uniq_odd_per_input"), table.get("uniq_odd_csd_ge3"),
        )  # fmt: skip
    return found


def _chained(given: Iterable[LayerSpec]) -> Iterator[LayerSpec]:
    """Join the layers one after the other: records do not say how they are connected; and pass on the channels, which
    element-wise layers do not state: those before the first layer that states them have as many.
    """
    layers = list(given)
    previous, channels = "input", next((n for n in map(_entering, layers) if n), 0)
    for i, layer in enumerate(layers):
        name, sizes = f"{layer.name}_{i}", dict(layer.sizes)
        if layer.op in ("activation", "normalize", "merge", "clone") and channels:
            sizes.setdefault("n_chan", channels)
            if sizes.get("n_filt", 0) <= 0:
                sizes["n_filt"] = channels
        yield replace(layer, name=name, inputs=(previous,), outputs=(name,), sizes=sizes)
        previous = name
        channels = max(sizes.get("n_filt", 0), 0) or sizes.get("n_out", 0) or sizes.get("n_chan", 0) or channels


def _entering(layer: LayerSpec) -> int:
    """Channels that a layer takes, 0 where it does not say."""
    return layer.size("n_chan") if layer.op in ("conv1d", "conv2d", "pool1d", "pool2d", "depthwise2d") else 0


def _rows(folder: Path, pattern: str) -> Iterator[Row]:
    for path in sorted(folder.glob(pattern)):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                yield defaultdict(str, {name: value or "" for name, value in row.items()})


def _repo(row: Row) -> str:
    return row["source"].split("@")[0]


def modules(folder: Path) -> Iterator[Record]:
    """Single layers within designs, as the HLS report counts them: modules that are a layer's own function."""
    yield from _each(_rows(folder, "modules.csv"), _module, "module")


def _module(row: Row, _: str) -> Record | None:
    op, function, pointwise = op_of(row.get("op", ""))
    tool, version = _tool(row.get("tool"), row.get("tool_version"))
    sizes = {name: int(float(row[name])) for name in SIZES if _number(row.get(name)) is not None}
    if pointwise:
        sizes |= {"filt_width": 1, "filt_height": 1}
    types = {}
    for ours, bits, whole in (("input", "in_bits", "in_int"), ("weight", "w_bits", "w_int")):
        if _number(row.get(bits)):
            types[ours] = Type(int(float(row[bits])), int(_number(row.get(whole)) or 0))
    for ours, bits in (("accum", "acc_bits"), ("output", "out_bits")):
        if _number(row.get(bits)):
            types[ours] = Type(int(float(row[bits])), int(float(row[bits])))
    weights = {}
    if _number(row.get("w_n")):
        zeros = int(_number(row.get("w_zeros")) or _number(row.get("n_zeros")) or 0)
        digits = _number(row.get("w_csd"))
        weights["weight"] = WeightStats(
            int(float(row["w_n"])), zeros, types.get("weight"), None, int(digits) if digits is not None else None
        )
    layer = LayerSpec(
        row["module"], op, function, sizes=sizes, types=types, strategy=(row.get("strategy") or "latency").lower(),
        reuse_factor=int(_number(row.get("reuse_factor")) or 1), weights=weights,
    )  # fmt: skip
    clock, uncertainty = _number(row.get("clk_ns")) or 5.0, _number(row.get("clk_unc_ns"))
    design = Design(
        "stream" if row.get("io_type") == "io_stream" else "parallel", (layer,), tool, version,
        row.get("part", ""), family_of(row.get("part", "")), clock, uncertainty / clock if uncertainty else None,
    )  # fmt: skip
    counts = {ours: float(row[name]) for name, ours in COUNTS.items() if _number(row.get(name)) is not None}
    cycles = {n: float(row[n]) for n in ("lat_min", "lat_max", "ii_min", "ii_max") if _number(row.get(n)) is not None}
    return Record(
        f"{row['design']}#{row['module']}", row["repo"], design, {"hls": counts}, cycles, {},
        row.get("generator", "hls4ml"), "module",
    )  # fmt: skip


def sweep(folder: Path) -> Iterator[Record]:
    """Single dense layers over sizes, widths and reuse factors; ``facts["ok"]`` 0 where the run did not end."""
    yield from _each(_rows(folder, "*dense_*.csv"), _dense, "dense")


def _dense(row: Row, _: str) -> Record | None:
    if not row.get("n_in") or not row.get("rf_csv"):
        return None
    if not row["strategy"]:
        raise ValueError("no strategy")
    n_in, n_out, bits = (int(float(row[k])) for k in ("n_in", "n_out", "weight_bits"))
    tool, version = _version_in(row.get("tool", ""))
    given = Type.parse(row.get("in_type", "")) or Type(16, 6)
    types = {"input": given, "output": Type(16, 6), "accum": Type(16, 6)}
    types["weight"] = types["bias"] = Type(bits, int(_number(row.get("weight_int")) or 0))
    layer = LayerSpec(
        row["model"], "dense", sizes={"n_in": n_in, "n_out": n_out}, types=types, strategy=row["strategy"].lower(),
        reuse_factor=int(float(row["rf_csv"])), inputs=("input",), outputs=(row["model"],),
    )  # fmt: skip
    part, resource = row.get("part", ""), row["strategy"].lower() == "resource"
    io = "stream" if row.get("io_type") == "io_stream" else "parallel"
    clock = _number(row.get("clk_ns")) or 5.0
    design = Design(io, (layer,), tool, version, part, family_of(part), clock, None, resource)  # type: ignore[arg-type]
    counts = {ours: float(row[name]) for name, ours in COUNTS.items() if _number(row.get(name)) is not None}
    cycles = {n: float(row[n]) for n in ("lat_min", "lat_max", "ii_min", "ii_max") if _number(row.get(n)) is not None}
    name = f"{row['model']}:{row['strategy']}:{row['rf_csv']}"
    return Record(
        name, _repo(row), design, {"hls": counts} if counts else {}, cycles,
        {"hls": float(row["est_clk_ns"])} if _number(row.get("est_clk_ns")) else {}, "hls4ml", "sweep",
        {"ok": float(row.get("ok") == "True")},
    )  # fmt: skip


def _version_in(text: str) -> tuple[str, str]:
    found = re.search(r"20\d\d\.\d", text)
    return _tool(text, found[0] if found else "")


def pictures(folder: Path) -> Iterator[Record]:
    """Streaming convolution networks over clocks: layers are made from the row's lists of them."""
    yield from _each(_rows(folder, "*iostream_conv*.csv"), _picture, "picture")


def _picture(row: Row, _: str) -> Record | None:
    tool, version = _version_in(row.get("tool", ""))
    part, clock = row.get("part", ""), _number(row.get("clk_ns")) or 10.0
    layers = tuple(_chained(_picture_layers(row)))
    design = Design("stream", layers, tool, version, part, family_of(part), clock)
    counts = {ours: float(row[name]) for name, ours in COUNTS.items() if _number(row.get(name)) is not None}
    cycles = {n: float(row[n]) for n in ("lat_min", "lat_max") if _number(row.get(n)) is not None}
    return Record(
        f"{row['conv_bits']}:{row['fc_bits']}:{row['conv_layers']}:{clock}", _repo(row), design,
        {"hls": counts}, cycles, {"hls": float(row["est_clk_ns"])} if _number(row.get("est_clk_ns")) else {},
        "hls4ml", "picture",
    )  # fmt: skip


def _picture_layers(row: Mapping[str, str]) -> Iterator[LayerSpec]:
    from gatewright.backends.hls4ml.reuse import nearest

    size, given = row["input"].split(maxsplit=1)
    high, wide, channels = map(int, size.split("x"))
    bits = re.findall(r"\d+", row["weight_t"])
    weight, value = Type(int(bits[0]), int(bits[1])), Type.parse(row["default_precision"]) or Type(16, 6)
    types = {"input": Type.parse(given) or value, "output": value, "accum": value, "weight": weight, "bias": weight}
    target, strategy = int(row["target_rf"]), row["strategy"].lower()
    flat = {"n_in": high * wide * channels, "n_chan": channels}
    yield LayerSpec("quantize", "activation", "linear", sizes=flat, types={**types, "output": types["input"]})
    for i, conv in enumerate(json.loads(row["conv_layers"])):
        k, stride, filters = conv["k"], conv["stride"], conv["filters"]
        if conv["padding"] == "same":
            total = max((-(-high // stride) - 1) * stride + k - high, 0)
            grown = (high + total, wide + total)
            sizes = {
                "in_height": high,
                "in_width": wide,
                "n_chan": channels,
                "out_height": grown[0],
                "out_width": grown[1],
            }
            yield LayerSpec(f"pad{i}", "zeropad2d", sizes=sizes, types=types)
            high, wide = grown
        out = ((high - k) // stride + 1, (wide - k) // stride + 1)
        n_in = k * k * channels
        sizes = {
            "in_height": high, "in_width": wide, "n_chan": channels, "n_filt": filters, "filt_height": k,
            "filt_width": k,
            "stride_height": stride, "stride_width": stride, "out_height": out[0], "out_width": out[1], "mult_n_in":
            n_in,
            "mult_n_out": filters,
        }  # fmt: skip
        reuse = nearest(n_in, filters, target)
        grown = types["input"].width + weight.width + max(1, (n_in - 1).bit_length()) + 1  # the bias
        types = {**types, "accum": Type(grown, grown // 2), "output": Type(grown, grown // 2)}
        yield LayerSpec(f"conv{i}", "conv2d", sizes=sizes, types=types, strategy=strategy, reuse_factor=reuse)
        high, wide, channels = *out, filters
        types = {**types, "input": types["output"], "output": Type(6, 0, False)}
        flat = {"n_in": high * wide * channels, "n_chan": channels}
        yield LayerSpec(f"act{i}", "activation", "relu", sizes=flat, types=types, reuse_factor=target)
        types = {**types, "input": types["output"]}
    n_in = high * wide * channels
    for i, n_out in enumerate(json.loads(row["fc_layers"])):
        sizes = {"n_in": n_in, "n_out": n_out}
        reuse = nearest(n_in, n_out, target)
        yield LayerSpec(f"fc{i}", "dense", sizes=sizes, types=types, strategy=strategy, reuse_factor=reuse)
        yield LayerSpec(f"fc_act{i}", "activation", "linear", sizes={"n_in": n_out, "n_chan": n_out}, types=types)
        n_in = n_out


def jets(folder: Path) -> Iterator[Record]:
    """Designs by distributed arithmetic, placed and routed; ``facts``: EBOPs, da4ml's cost, sizes."""
    yield from _each(_rows(folder, "*jedi*.csv"), _jet, "jet")


def _jet(row: Row, name: str) -> Record | None:
    names = ("EBOPs", "da4ml_cost", "n_particles", "n_features", "latency_cycles", "clk_target_ns")
    facts = {n: float(row[n]) for n in names if _number(row.get(n)) is not None}
    part = row.get("part", "")
    design = Design("parallel", (), "vitis", "", part, family_of(part), facts.get("clk_target_ns", 2.0), None, False)
    counts = {ours: float(row[name]) for name, ours in COUNTS.items() if _number(row.get(name)) is not None}
    clock = {"implementation": float(row["clk_achieved_ns"])} if _number(row.get("clk_achieved_ns")) else {}
    return Record(
        row["model"] or name,
        _repo(row),
        design,
        {"implementation": counts},
        {},
        clock,
        "da4ml",
        "jedi",
        facts,
    )


__all__ = ["Record", "designs", "jets", "modules", "op_of", "pictures", "read", "sweep"]
