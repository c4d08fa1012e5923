"""Manifests to make pages of: a chain, and a U-Net with skips, with a cost as the cost models give it."""

from collections.abc import Mapping
from typing import Any

LEVELS = {"hls": 2.0, "synthesis": 1.0}
RATIOS = {"lut": 1.0, "ff": 0.6, "dsp": 0.004, "bram": 0.002}
AVAILABLE = {"lut": 53_200, "ff": 106_400, "dsp": 220, "bram": 280, "uram": 0}


def figure(value: float, spread: float = 0.0, unit: str = "count", kind: str = "", source: str = "") -> dict[str, Any]:
    kind = kind or ("estimated" if spread else "exact")
    source = source or ("fit on 1,204 designs" if spread else "hls4ml template")
    low, high = value * (1 - spread), value * (1 + 1.4 * spread)
    return {"value": value, "low": low, "high": high, "unit": unit, "kind": kind, "source": source}


def layer(name: str, op: str, inputs: list[str], shape: list[int], **more: Any) -> dict[str, Any]:
    macs, parameters = more.pop("macs", 0), more.pop("parameters", 0)
    return {
        "name": name,
        "source": name,
        "op": op,
        "attributes": "",
        "inputs": inputs,
        "shape": shape,
        "format": "fixed<16,6>",
        "constants": [{"shape": [3, 3], "format": "fixed<8,1>"}] if parameters else [],
        "macs": macs,
        "parameters": parameters,
        "inserted": "",
        "range": {"proved": [-12.5, 31.99], "seen": [-1.5, 5.25], "clipped": 0, "count": 1000},
        **more,
    }


def quantize(name: str, source: str, after: str, shape: list[int]) -> dict[str, Any]:
    span = {"proved": [-32.0, 31.99], "seen": [-32.0, 31.99], "clipped": 3, "count": 1000}
    more = {"inserted": "default precision", "rounding": "RND", "overflow": "SAT", "range": span, "source": source}
    return layer(name, "quantize", [after], shape, **more)


def manifest(layers: list[dict[str, Any]], shape: list[int], **more: Any) -> dict[str, Any]:
    last = layers[-1]
    return {
        "schema": 1,
        "gatewright": "0.1.0",
        "board": "pynq-z2",
        "target": "hls4ml-vitis",
        "created_from": {"model": "model.keras", "sha256": "0" * 64, "frontend": "keras"},
        "options": {
            "clock_ns": 5.0,
            "io": "stream",
            "hls": "vitis",
            "output": "model",
            "layer": [{"name": "a*", "bits": 8}],
        },
        "versions": {"numpy": "2.0.0", "hls4ml": "1.3.0"},
        "inputs": [
            {
                "name": "x",
                "shape": shape,
                "format": "fixed<16,6>",
                "rounding": "RND",
                "overflow": "SAT",
                "inserted": "default precision",
                "range": {"proved": [-32.0, 31.99]},
            }
        ],
        "outputs": [{"name": "y", "shape": last["shape"], "format": last["format"], "layer": last["name"]}],
        "macs": sum(entry["macs"] for entry in layers),
        "parameters": sum(entry["parameters"] for entry in layers),
        "layers": layers,
        "notes": ["y: softmax is within 0.0099 of the real function"],
        "verification": {
            "status": "exact",
            "engine": "C simulation",
            "vectors": 512,
            "mismatches": 0,
            "first_mismatch": None,
        },
        "cost": {},
        "files": [],
        **more,
    }


def chain() -> dict[str, Any]:
    """A small convolutional network, with a step between that the hardware does along with a layer."""
    layers = [
        layer("conv1", "conv", ["x"], [8, 8, 8], macs=4608, parameters=80),
        quantize("conv1_quantize", "conv1", "conv1", [8, 8, 8]),
        layer("relu1", "relu", ["conv1_quantize"], [8, 8, 8], format="ufixed<15,5>"),
        layer("pool1", "max_pool", ["relu1"], [4, 4, 8], format="ufixed<15,5>"),
        layer("dense", "dense", ["pool1"], [10], macs=1280, parameters=1290),
    ]
    return costed(manifest(layers, [8, 8, 1]))


def unet(depth: int = 4, blocks: int = 5) -> dict[str, Any]:
    """A U-Net of ``depth`` levels on 256x256 with ``blocks`` convolutions a level and side, whose skips are joined."""
    layers: list[dict[str, Any]] = []
    last, skips, size, width = "x", [], 256, 8

    def convolutions(prefix: str) -> None:
        nonlocal last
        for i in range(blocks):
            name, shape = f"{prefix}_conv{i}", [size, size, width]
            layers.append(
                layer(name, "conv", [last], shape, macs=9 * width * width * size * size, parameters=9 * width * width)
            )
            layers.append(layer(f"{name}_relu", "relu", [name], shape))
            last = f"{name}_relu"

    for level in range(depth):
        convolutions(f"down{level}")
        skips.append((last, size, width))
        size, width = size // 2, width * 2
        layers.append(layer(f"pool{level}", "max_pool", [last], [size, size, width // 2]))
        last = f"pool{level}"
    convolutions("bottom")
    for level in reversed(range(depth)):
        skip, size, width = skips.pop()
        layers.append(layer(f"resize{level}", "resize", [last], [size, size, 2 * width]))
        layers.append(layer(f"join{level}", "concat", [f"resize{level}", skip], [size, size, 3 * width]))
        last = f"join{level}"
        convolutions(f"up{level}")
    return costed(
        manifest(layers, [256, 256, 3], board="alveo-u250"), available={k: 40 * v for k, v in AVAILABLE.items()}
    )


def costed(document: dict[str, Any], available: Mapping[str, int] = AVAILABLE) -> dict[str, Any]:
    """The manifest with a cost in every part."""
    hardware = [entry for entry in document["layers"] if entry["op"] != "quantize"]
    layers = [_layer(entry) for entry in hardware]
    totals = {level: _total(layers, level) for level in LEVELS}
    names = [entry["name"] for entry in layers]
    fifos = [_fifo(i, a, b) for i, (a, b) in enumerate(zip(["source", *names], [*names, "sink"], strict=True))]
    processes = [_process(i, name) for i, name in enumerate(names)]
    end = processes[-1]["frame"][1] + 1
    document["cost"] = {
        "latency_cycles": figure(end, unit="cycles", kind="simulated", source="stream simulation"),
        "interval_cycles": figure(900, unit="cycles", kind="simulated", source="stream simulation"),
        "latency_s": figure(end * 5e-9, unit="s", kind="simulated", source="stream simulation"),
        "interval_s": figure(900 * 5e-9, unit="s", kind="simulated", source="stream simulation"),
        "clock_ns": figure(4.3, 0.1, "ns"),
        "style": "stream",
        "hls": {"latency_cycles": figure(2000, 0.3, "cycles"), "interval_cycles": figure(900, unit="cycles")},
        "resources": totals["synthesis"],
        "levels": totals,
        "available": dict(available),
        "layers": layers,
        "stream": {
            "fifos": fifos,
            "processes": processes,
            "first_output": end // 2,
            "latency": end,
            "interval": 900,
            "is_steady": True,
            "frames": 3,
            "deadlock": "",
        },
        "findings": [
            {
                "kind": "fit",
                "what": "LUT: 90 % of the board by the high estimate",
                "where": "",
                "hint": "a higher reuse factor",
            },
            {
                "kind": "limit",
                "what": "an array of 8,192 elements is partitioned",
                "where": names[0],
                "hint": "--strategy resource",
            },
            {
                "kind": "domain",
                "what": "wider than the widest fitted: the band is wider",
                "where": names[-1],
                "hint": "",
            },
        ],
    }
    return document


def _layer(entry: Mapping[str, Any]) -> dict[str, Any]:
    size = 40 + 0.9 * entry["parameters"]
    levels = {
        level: {
            r: figure(float(round(by * share * size)), 0.2 if r in ("lut", "ff") else 0.0)
            for r, share in RATIOS.items()
        }
        for level, by in LEVELS.items()
    }
    cycles = {n: figure(c, unit="cycles") for n, c in (("latency_cycles", 120), ("interval_cycles", 100))}
    return {
        "name": entry["name"],
        "source": entry["source"],
        "op": {"relu": "activation"}.get(entry["op"], entry["op"]),
        "function": "relu" if entry["op"] == "relu" else "",
        "inputs": list(entry["inputs"]),
        "outputs": [entry["name"]],
        "strategy": "latency",
        "reuse_factor": 1,
        **cycles,
        "levels": levels,
        "note": "one pack a cycle",
    }


def _total(layers: list[dict[str, Any]], level: str) -> dict[str, Any]:
    return {
        r: figure(sum(e["levels"][level][r]["value"] for e in layers), 0.15 if r in ("lut", "ff") else 0)
        for r in RATIOS
    }


def _fifo(i: int, writer: str, reader: str) -> dict[str, Any]:
    depth = 64 >> (i % 4)
    most = max(depth // 2, 1)
    return {
        "name": f"{writer}_out",
        "writer": writer,
        "reader": reader,
        "width": 128,
        "depth": depth,
        "most": most,
        "stall_free": most + (depth if i == 2 else 0),
        "deadlock_free": 1,
        "packs": 64,
        "occupancy": [[0, 40, 300, 900], [0, most, 1, 0]],
    }


def _process(i: int, name: str) -> dict[str, Any]:
    start = 40 * i
    return {
        "name": name,
        "layer": name,
        "start": start,
        "first_read": start,
        "first_write": start + 90,
        "last_write": start + 2990,
        "end": start + 3000,
        "busy": 2700,
        "waits_input": 240,
        "waits_output": 60,
        "frame": [start, start + 999],
        "length": 1000,
    }
