"""What the command line says in plain lines."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .reports.figures_text import BOUNDS


def verdict(count: int, board: str) -> str:
    """Sum a check up."""
    return f"nothing stands in the way of {board}" if not count else f"{count} problem{'s' if count > 1 else ''}"


def summary(manifest: Mapping[str, Any], out: Path) -> list[str]:
    """Sum a compilation up."""
    check = manifest["verification"]
    far = check.get("difference", 0.0) > check.get("tolerance", 0.0)
    more = ", more on vectors on which the network amplifies rounding" if far else ""
    proof = {
        "exact": f"exact: {check['engine']} equals the graph on all {check['vectors']} vectors",
        "close": f"close: {check['engine']} is within {check.get('difference', 0.0):.1e} of the graph on all "
        f"{check['vectors']} vectors (allowed: {check.get('tolerance', 0.0):g} of the largest output{more})",
        "failed": f"FAILED: {check['mismatches']} values differ, first {check['first_mismatch']}",
        "skipped": f"not verified: {check.get('reason', '')}",
    }[check["status"]]
    inserted = sum(1 for e in (*manifest["inputs"], *manifest["layers"]) if e["inserted"])
    own = sum(1 for e in manifest["layers"] if e["op"] in ("quantize", "multiply_shift") and not e["inserted"])
    return [
        f"{manifest['created_from']['model']} for {manifest['board']} ({manifest['target']}): "
        f"{manifest['macs']:,} MACs, {manifest['parameters']:,} parameters",
        f"quantizers: {own} of the model's own, {inserted} inserted",
        *_remembered(manifest),
        *(f"note: {note}" for note in manifest["notes"]),
        *(f"warning: {text}" for text in warnings(manifest["cost"])),
        *cost_lines(manifest["cost"]),
        proof,
        f"written to {out} (gatewright report {out})",
    ]


def _remembered(manifest: Mapping[str, Any]) -> list[str]:
    """Say what an inference leaves to the next."""
    states = [f"{s['name']} {'x'.join(map(str, s['shape'])) or 'scalar'}" for s in manifest["states"]]
    return [f"remembers from one inference to the next: {', '.join(states)}"] if states else []


def warnings(cost: Mapping[str, Any]) -> list[str]:
    """Give what a cost estimate warns of: what may not fit, limits of the tools."""
    found = [f for f in cost.get("findings", ()) if f["kind"] != "domain"]
    return [
        f"{f['where']}: {f['what']}".removeprefix(": ") + (f" (try {f['hint']})" if f["hint"] else "") for f in found
    ]


def _on_processor(cost: Mapping[str, Any]) -> str:
    time, memory, core = cost["latency_s"], cost["memory"], cost["processor"]
    low, value, high = (time[end] * 1e6 for end in ("low", "value", "high"))
    parts = [
        f"about {value:,.3g} us ({low:,.3g} to {high:,.3g}) on one {core['core']} at {core['clock_mhz']:,.0f} MHz",
        f"{cost['instructions']['value']:,} instructions", f"arena {memory['arena_bytes']['value']:,} bytes",
        f"constants {memory['constants_bytes']['value']:,} bytes",
    ]  # fmt: skip
    return ", ".join(parts)


def cost_lines(cost: Mapping[str, Any]) -> list[str]:
    """Sum a cost estimate up: cycles, time, what it takes of the device."""
    if not cost:
        return []
    if "processor" in cost:
        return [_on_processor(cost)]
    if "levels" not in cost:
        lines = [f"{_MEMORY[name]}: {figure['value']:,} bytes" for name, figure in cost.get("memory", {}).items()]
        if time := cost.get("latency_s"):
            lines.insert(0, _inference(time))
        if count := cost.get("instructions"):
            lines.insert(0, f"{count['value']:,.0f} instructions an inference, {count['kind']}: {count['source']}")
        return lines
    if cycles := cost.get("latency_cycles"):
        time, interval = cost["latency_s"]["value"], cost["interval_cycles"]["value"]
        line = f"about {cycles['value']:,} cycles ({time * 1e6:.3g} us), interval {interval:,}"
    else:
        line = "no latency: the design deadlocks"
    shares = [
        f"{name.upper()} {100 * cost['resources'][name]['value'] / there:.1f} %"
        for name, there in cost["available"].items()
        if there and name in cost["resources"] and cost["resources"][name]["high"] > 0
    ]
    return [", ".join([line, *shares])]


_MEMORY = {
    "arena_bytes": "arena", "constants_bytes": "constants", "library_bytes": "library", "flash_bytes": "flash",
    "stack_bytes": "stack",
}  # fmt: skip


def run(document: Mapping[str, Any]) -> list[str]:
    """Sum a simulation up."""
    lines = [f"{document['samples']:,} samples ({document['inputs']}) through the {document['engine']}"]
    kind = "integers" if document["integers"] else "values"
    for name, entry in document["outputs"].items():
        low, high = document["ranges"][name]
        lines.append(f"  {name}: {'x'.join(map(str, entry))}, {kind} {low:.6g} .. {high:.6g}")
    if "core" in document:
        lines += _counted(document)
    return [*lines, f"written to {document['file']}"] if document["file"] else lines


def _inference(time: Mapping[str, Any]) -> str:
    """Tell the time of an inference, with its band where it has one."""
    unit, factor = ("ms", 1e3) if time["value"] >= 1e-2 else ("us", 1e6)
    low, high = (factor * time.get(end, time["value"]) for end in ("low", "high"))
    band = f" ({low:,.1f} to {high:,.1f})" if low < high else ""
    return f"{factor * time['value']:,.1f} {unit}{band} an inference, {time['kind']}: {time['source']}"


def _counted(document: Mapping[str, Any]) -> list[str]:
    """Tell what an emulated core counted in one inference."""
    total = document["instructions"]
    lines = [
        f"emulated {document['core']}: {total:,} instructions an inference, "
        f"{document['stack_bytes']:,} bytes of stack, arena {document['arena_bytes']:,} bytes"
    ]
    for layer in document["layers"]:
        each = f", {layer['instructions'] / layer['macs']:.2f} a product" if layer["macs"] else ""
        share = 100 * layer["instructions"] / max(total, 1)
        bound = f", bound by {BOUNDS[layer['bound_by']]}" if "bound_by" in layer else ""
        lines.append(f"  {share:5.1f} %  {layer['instructions']:>12,}{each}{bound}  {layer['name']}")
    return lines


"""What most of a layer's cycles are for, in words."""


def tuned(document: Mapping[str, Any], out: Path) -> list[str]:
    """Tell what tuning found."""
    before, after = document["before_s"] * 1e6, document["after_s"] * 1e6
    lines = [
        f"{100 * t['ratio']:4.0f} %  {t['tile']['rows']} {'tiles' if t['tile']['unit'] else 'rows'} by "
        f"{t['tile']['vectors']} x {t['tile']['lanes']}"
        f"{', filters outside' if t['tile']['panels_outside'] else ''}"
        f"{', windows of {0} x {0}'.format(t['tile']['windows']) if t['tile']['windows'] else ''}: {t['layer']}"
        for t in sorted(document["layers"], key=lambda t: float(t["ratio"]))
    ]
    lines = [*(["time of each layer that is faster, as a share of that before:"] if lines else []), *lines]
    failed = f", of which {document['failed']} failed" if document["failed"] else ""
    lines.append(f"{document['trials']} tiles measured on {document['device']}{failed}")
    if not document["changed"]:
        why = "it has the best of these tiles" if document["layers"] else "nothing is faster for sure"
        return [*lines, f"{out} is as it was: {why} ({after:,.1f} us an inference)"]
    lines.append(f"{before:,.1f} us an inference with the formula's tiles, {after:,.1f} us now")
    lines.append(f"verification: {document['verification']['status']}")
    return [*lines, f"written to {out}"]


def tree(value: Any, indent: int = 0) -> list[str]:
    """Nested data as indented lines; a figure on one line with its source, an array of words on one as well."""
    pad = "  " * indent
    lines: list[str] = []
    if isinstance(value, list):
        for entry in value:
            first, *rest = tree(entry, indent + 1) if isinstance(entry, (dict, list)) else [f"{pad}  {entry}"]
            lines += [f"{pad}- {first.lstrip()}", *rest]
        return lines
    for key, entry in value.items():
        if isinstance(entry, list) and all(isinstance(word, str) and " " not in word for word in entry):
            lines.append(f"{pad}{key}: {', '.join(entry)}")
        elif isinstance(entry, dict) and "value" in entry:
            doubt = "" if entry.get("verified", True) else " (not verified)"
            lines.append(f"{pad}{key}: {entry['value']}{doubt}   [{entry.get('source', '')}]")
        elif isinstance(entry, (dict, list)):
            lines += [f"{pad}{key}:", *tree(entry, indent + 1)]
        else:
            lines.append(f"{pad}{key}: {entry}")
    return lines


def diagnosis(found: Mapping[str, Any]) -> list[str]:
    """Tell what a look at the machine found."""
    lines = [f"Python {found['python']} on {found['platform']}"]
    for entry in (*found["packages"], *found["extras"]):
        state = entry["version"] or f"missing: {entry['install']}"
        lines.append(f"  {entry['name']:<12} {state:<44} {entry['enables']}")
    lines += [f"  {t['name']:<12} {t['path'] or 'not found':<44} {t['enables']}" for t in found["tools"]]
    return [*lines, "ready to compile and verify" if found["ready"] else "not ready: a compiler or hls4ml is missing"]
