"""From counts of blocks to counts of instructions: in total, by function, by class."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .cores import Core
from .image import Image
from .kinds import Instruction, Mix, mix_of

ELSEWHERE = "(no function)"
NOTHING = Mix()


@dataclass(frozen=True)
class FunctionCount:
    """What a function ran: itself (``exclusive``, ``mix``) and with all that it called (``inclusive``)."""

    name: str
    calls: int
    exclusive: int
    inclusive: int
    mix: Mix


@dataclass(frozen=True)
class Counts:
    """What was run: exactly ``instructions``; by function; by class; how often each address began an instruction."""

    instructions: int
    functions: Mapping[str, FunctionCount]
    mix: Mix
    addresses: Mapping[int, int]


@dataclass(frozen=True)
class Run:
    """A block of code that was run ``count`` times, and was followed by the next address ``sequential`` times."""

    address: int
    size: int
    count: int
    sequential: int = 0
    watched: Mix = NOTHING
    """what was seen of its loads and of the caches"""


def counts_of(image: Image, core: Core, runs: Iterable[Run], calls: Mapping[str, tuple[int, int]]) -> Counts:
    """Decode the blocks that were run and add them up; ``calls``: by function, how often it was called, and how many
    instructions ran until it returned.
    """
    mixes: dict[str, list[Mix]] = {}
    addresses: dict[int, int] = {}
    for run in runs:
        decoded = decode_block(core, image.bytes_at(run.address, run.size), run.address)
        home = image.function_at(run.address)
        name = home.name if home is not None else ELSEWHERE
        mixes.setdefault(name, []).append(mix_of(decoded, run.count, run.sequential) + run.watched)
        at = run.address
        for i in decoded:
            addresses[at] = addresses.get(at, 0) + run.count
            at += i.length
    functions = {}
    for name, found in mixes.items():
        mix = Mix.total(found)
        called, inclusive = calls.get(name, (0, 0))
        functions[name] = FunctionCount(name, called, mix.instructions, max(inclusive, mix.instructions), mix)
    total = Mix.total(f.mix for f in functions.values())
    ordered = dict(sorted(functions.items(), key=lambda pair: (-pair[1].inclusive, pair[0])))
    return Counts(total.instructions, ordered, total, dict(sorted(addresses.items())))


def decode_block(core: Core, code: bytes, address: int) -> list[Instruction]:
    """Decode all of ``code``, which stands at ``address``."""
    found, at, decode = [], 0, core.decode
    while at < len(code):
        found.append(decode(code, at, address + at))
        at += found[-1].length
    return found

