"""The benchmark's results as text."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

OURS = "gatewright"
NOT_PEERS = (OURS, "evaluate")
WIDTH = 13


def header(engines: Sequence[str]) -> str:
    """The line over the rows."""
    names = "".join(f"{name:>{WIDTH}}" for name in engines)
    return f"{'us an inference':<26}{names}{'ours / best':>20}"


def row(case: str, engines: Sequence[str], result: Mapping[str, Any]) -> Iterator[str]:
    """A network: the medians, and under them the minima."""
    for key, label in (("median_us", case), ("min_us", "  least")):
        told = {name: found[key] for name, found in result["engines"].items()}
        cells = "".join(f"{number(told.get(name)):>{WIDTH}}" for name in engines)
        yield f"{label:<26}{cells}{ratio(told):>20}".rstrip()


def ratio(told: Mapping[str, float]) -> str:
    """Ours beside the best peer, and which that is."""
    peers = {name: time for name, time in told.items() if name not in NOT_PEERS}
    if not peers:
        return ""
    best = min(peers, key=lambda name: peers[name])
    return f"{told[OURS] / peers[best]:.2f} {best}" if OURS in told else f"- {best}"


def number(time: float | None) -> str:
    """Microseconds in three or four digits."""
    if time is None:
        return "-"
    return f"{time:.2f}" if time < 10 else f"{time:.1f}" if time < 1000 else f"{time:,.0f}"


def agreement(case: str, result: Mapping[str, Any]) -> Iterator[str]:
    """A line for each engine that was compared with another."""
    for told in result.get("agreement", ()):
        amount = f"{told['difference']:.2g}" if told["unit"] == "relative" else f"{told['difference']:.4g}"
        yield f"  {case:<24} {told['engine']} from {told['from']}: {amount} {told['unit']}"


def skips(results: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Why engines are missing, one line for each reason."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for case, result in results.items():
        for engine, why in result.get("skipped", {}).items():
            reasons.setdefault((engine, why), []).append(case)
    for (engine, why), cases in reasons.items():
        where = "everywhere" if len(cases) == len(results) else ", ".join(cases)
        yield f"  {engine}: {why} ({where})"
