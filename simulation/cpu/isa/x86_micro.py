"""x86-64 for the pipeline."""

import re

from ..assembly import Instruction
from ..micro import Kind, Micro, once, table
from .x86 import REGISTERS

VECTOR = re.compile(r"%[xyz]mm(\d+)|%k(\d)|%tmm(\d)")
NAMED = re.compile(r"%\w+")
MEMORY = re.compile(r"\(|^[\w.]+\(%rip\)|^\d+$")
SIZES = {"x": 16, "y": 32, "z": 64}
TABLE = table(
    (r"^vpdp", "dot"), (r"^v?(?:div|sqrt|rcp14|rsqrt14)[ps][sd]", "fdiv"), (r"^vpmadd|^vpmul", "vmul"),
    (r"^vf?n?m?(?:add|sub|mul|max|min|fmadd|fmsub|fnmadd|fnmsub|cmp|rndscale|round|ucomi|range|getexp)\w*[ps][sd]",
     "fma"),
    (r"^vf(?:n?madd|n?msub)", "fma"), (r"^vcvt", "convert"),
    (r"^vps[lr][la]", "shift"), (r"^vpro[lr]", "shift"),
    (r"^v(?:perm|pperm|pshuf|shuf|punpck|unpck|pack|pinsr|pextr|insert|extract|palignr|align|pmov|broadcast|"
     r"pbroadcast|pcompress|pexpand|movs[lh]dup|movddup|blendm?p|movhl|movlh|psll?dq|psrldq)", "shuffle"),
    (r"^vp(?!gather)|^v(?:and|or|xor|blend|test)|^kx?n?(?:and|or|mov|unpck|shift|test)", "vec"),
)  # fmt: skip
SUMS = re.compile(r"^(?:vpdp|vf[nm])")
READ_TOO = re.compile(r"^(?:vperm[ti]2|vpternlog)")
LEGACY = re.compile(r"^(?:add|sub|and|or|xor|imul|inc|dec|neg|not|sh[lr]|sa[lr]|cmov\w+|adc|sbb)[bwlq]?$")
MOVES = re.compile(
    r"^v?mov(?:[bwlq]|aps|apd|ups|upd|dq[au]\d*|abs\w|z\w*|s[bwlx]\w*|d|nt\w+|ss|sd)?$|^movs[bwl]\w|^movz"
)
TILES = frozenset(f"t{i}" for i in range(8))
COMPARES = re.compile(r"^(?:cmp|test|bt)[bwlq]$|^v?u?comis")


class X86Micro:
    """Loads that an instruction brings with it are work of their own."""

    def micro(self, i: Instruction) -> Micro:
        """Say what an instruction is made of."""
        name, ops = i.name, i.operands
        if name.startswith("j") or name.startswith("ret"):
            return Micro(once("branch"), frozenset({"flags"}), frozenset())
        if name.startswith("call"):
            return Micro(once("call"), frozenset(), frozenset({"rax"}))
        if (not ops or name == "vzeroupper") and name != "tilerelease":
            return Micro((), frozenset(), frozenset())
        if (found := _of_tiles(name, ops)) is not None:
            return found
        last = ops[-1]
        memory = next((op for op in ops if MEMORY.search(op) and "%" in op and not op.startswith("$")), "")
        writes_memory = memory == last and not COMPARES.match(name) and not name.startswith("push")
        reads = frozenset().union(*(_all(op) for op in ops[:-1]), _all(memory))
        writes = frozenset() if writes_memory or COMPARES.match(name) else _all(last)
        if COMPARES.match(name) or name.startswith("push") or writes_memory:
            reads |= _all(last)
        kept = "{%k" in last and "{z}" not in last
        sums = writes if SUMS.match(name) else frozenset()
        if LEGACY.match(name) or READ_TOO.match(name) or kept:
            reads |= writes
        if name in ("vpxor", "vxorps", "xorl", "vpxord", "vpxorq", "xorq") and len({*ops}) == 1:
            return Micro((), frozenset(), writes)
        if LEGACY.match(name) or COMPARES.match(name):
            writes |= {"flags"}
        if name.startswith(("set", "cmov", "adc", "sbb")):
            reads |= {"flags"}
        return Micro(tuple(self._work(name, ops, memory, writes_memory)), reads, writes, sums, _size(ops, bool(memory)))

    def _work(self, name: str, ops: tuple[str, ...], memory: str, writes_memory: bool) -> list[tuple[Kind, float]]:
        if name.startswith("push"):
            return [("store", 1.0)]
        if name.startswith("pop"):
            return [("load", 1.0)]
        kind = _kind(name, ops)
        if name.startswith("vpgather") or name.startswith("vgather"):
            lanes = _bytes(ops[-1]) // (8 if name[-1] in "qd" and name.endswith(("q", "pd")) else 4)
            return [("load", float(lanes)), ("shuffle", lanes / 2)]
        if name.startswith("vpscatter"):
            return [("store", float(_bytes(ops[0]) // 4)), ("shuffle", 4.0)]
        moved = MOVES.match(name) is not None or name.startswith(("vpbroadcastd", "vpbroadcastq", "vbroadcasts"))
        if name.startswith("lea"):
            return [("int", 1.0)]
        if writes_memory:
            if moved:
                return [("store", 1.0)]
            extra: list[tuple[Kind, float]] = (
                [] if name.startswith(("vpmov", "vextract", "vpextr")) else [("load", 1.0)]
            )
            return [*extra, *([(kind, 1.0)] if kind else []), ("store", 1.0)]
        if memory:
            if moved and not (name.startswith("vpbroadcast") and name[11] in "bw"):
                return [("load", 1.0)]
            return [("load", 1.0), *([(kind, 1.0)] if kind else [])]
        if kind == "vmul" and name.startswith("vpmullq"):
            return [("vmul", 3.0)]
        if name.startswith(("vpinsr", "vpextr")):
            return [("shuffle", 1.0), ("move", 1.0)]
        return [(kind, 1.0)] if kind else []


def _of_tiles(name: str, ops: tuple[str, ...]) -> Micro | None:
    """An instruction of the matrix unit: a tile is as many loads or stores as it has rows."""
    match name:
        case "ldtilecfg":
            return Micro((("load", 1.0), ("tile", 12.0)), _all(ops[0]), TILES, bytes=64)
        case "tilerelease":
            return Micro(once("tile"), TILES, TILES)
        case "tilezero":
            return Micro((), frozenset(), _all(ops[0]))
        case "tileloadd":
            return Micro((("load", 16.0),), _all(ops[0]), _all(ops[1]), bytes=1024)
        case "tilestored":
            return Micro((("store", 16.0),), _all(ops[0]) | _all(ops[1]), frozenset(), bytes=1024)
    if name.startswith("tdp"):
        return Micro(once("tile"), _all(ops[0]) | _all(ops[1]), _all(ops[2]), _all(ops[2]))
    return None


def _kind(name: str, ops: tuple[str, ...]) -> Kind | None:
    vectors = [bool(VECTOR.search(op)) for op in ops]
    if any(vectors):
        if MOVES.match(name) or name.startswith("kmov"):
            general = any(op in REGISTERS for op in ops)
            return "move" if general else None
        if name.startswith(("vpbroadcast", "vbroadcast")) and ops[0] in REGISTERS:
            return "move"
        return next((kind for pattern, kind in TABLE if pattern.match(name)), "vec")
    if name.startswith(("imul", "mul")):
        return "mul"
    if name.startswith(("idiv", "div")):
        return "div"
    if re.match(r"^mov[lq]$|^movabs", name) and not ops[0].startswith("$"):
        return None
    return "int"


def _all(operand: str) -> frozenset[str]:
    found = {f"v{m[1]}" if m[1] else f"k{m[2]}" if m[2] else f"t{m[3]}" for m in VECTOR.finditer(operand)}
    found |= {REGISTERS[r][0] for r in NAMED.findall(operand) if r in REGISTERS}
    return frozenset(found)


def _bytes(operand: str) -> int:
    m = re.search(r"%([xyz])mm", operand)
    return SIZES[m[1]] if m else 8


def _size(ops: tuple[str, ...], memory: bool) -> int:
    """Bytes of memory that it moves; of operands that are spread over lanes one."""
    if not memory:
        return 0
    return max(_bytes(op) for op in ops) if any(VECTOR.search(op) for op in ops) else 8
