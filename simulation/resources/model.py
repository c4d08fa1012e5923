"""What a design takes of its device: counts by resource, at levels that are never mixed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from ..design import Level, Resource
from ..figures import Figure

Counts: TypeAlias = Mapping[Resource, Figure]


@dataclass(frozen=True)
class Finding:
    """Something about a design that a user should know before a synthesis: ``what`` is the case ``where`` (a layer's
    name, "" for all of it), and what to try (``hint``).

    ``kind``: limit (the tool will refuse or never end), fit (over the device), domain (outside of what the estimates
    were fitted on: the band is wider), clock.
    """

    kind: Literal["limit", "fit", "domain", "clock"]
    what: str
    where: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Resources:
    """Counts of the whole design and of each layer by name, by level. A figure that is not known is absent.

    ``clock_ns``: the achievable period, by level. ``findings``: limits that the design breaks, domains that it leaves.
    """

    total: Mapping[Level, Counts]
    layers: Mapping[str, Mapping[Level, Counts]]
    clock_ns: Mapping[Level, Figure] = field(default_factory=dict[Level, Figure])
    findings: tuple[Finding, ...] = ()


__all__ = ["Counts", "Finding", "Resources"]
