"""AArch64 for the pipeline."""

import re

from ..assembly import Instruction
from ..micro import Kind, Micro, once, table

REGISTER = re.compile(r"\b([xw])(\d+)\b|\b([vqdshb])(\d+)\b|\b(sp)\b")
TABLE = table(
    (r"^[su]s?u?dot|^[su]mmla|^usmmla", "dot"), (r"^f(?:div|sqrt)", "fdiv"),
    (r"^[su]?q?r?d?m(?:la|ls|ul)|^[su]ml[as]l|^sqd?r?dm", "vmul"),
    (r"^f(?:cvt)|^[su]cvtf|^frint", "convert"), (r"^f(?!mov|csel)", "fma"),
    (r"^[su]?q?r?sh[lr]|^sri|^sli|^[su]r?sra|^[su]shll|^[su]xtl|^r?shrn|^[su]q?r?shr", "shift"),
    (r"^(?:tbl|tbx|zip|uzp|trn|ext|rev|dup|ins|[su]?q?xtu?n|ld1r)", "shuffle"), (r"", "vec"),
)  # fmt: skip
SUMS = re.compile(r"^(?:[su]s?u?dot|[su]mmla|usmmla|fml[as]|ml[as]|[su]ml[as]l2?|[su]qdml[as]l|sqr?dml[as]h)")
READ_TOO = re.compile(
    r"^(?:bsl|bif|bit|sli|sri|ins|movk|bfi|bfxil|tbx|[su]r?sra|[su]?q?xtu?n2|r?shrn2|[su]q?r?shru?n2)"
)
NO_RESULT = re.compile(r"^(?:cmp|cmn|tst|st|prfm|fcmp|ccmp)")
FLAGS = re.compile(r"^(?:cmp|cmn|tst|adds|subs|ands|bics|negs|fcmp|ccmp)")
READS_FLAGS = re.compile(r"^(?:b\.|cs|cset|cinc|cneg|cinv|fcsel|ccmp|adc|sbc)")
BYTES = {"q": 16, "v": 16, "d": 8, "x": 8, "s": 4, "w": 4, "h": 2, "b": 1}


class Arm64Micro:
    """Pairs of vectors are two loads or stores."""

    def micro(self, i: Instruction) -> Micro:
        """Say what an instruction is made of."""
        name, ops = i.name.partition(".")[0] if not i.name.startswith("b.") else "b.", i.operands
        if name in ("b", "b.", "ret", "br", "cbz", "cbnz", "tbz", "tbnz"):
            return Micro(once("branch"), _all(*ops[:1]) | {"flags"} if name != "b" else frozenset(), frozenset())
        if name in ("bl", "blr"):
            return Micro(once("call"), frozenset(), frozenset({"x0"}))
        if not ops:
            return Micro((), frozenset(), frozenset())
        if name.startswith(("ld", "st")):
            return _memory(name, ops)
        writes = frozenset() if NO_RESULT.match(name) else _all(ops[0])
        reads = _all(*(ops if NO_RESULT.match(name) else ops[1:]))
        sums = writes if SUMS.match(name) else frozenset()
        into_lane = "[" in ops[0] and name in ("mov", "ins")
        if READ_TOO.match(name) or into_lane:
            reads |= writes
        if FLAGS.match(name):
            writes |= {"flags"}
        if READS_FLAGS.match(i.name):
            reads |= {"flags"}
        kind = _kind(name, ops, into_lane)
        return Micro(once(kind) if kind else (), reads, writes, sums)


def _kind(name: str, ops: tuple[str, ...], into_lane: bool) -> Kind | None:
    vectors = [bool(re.match(r"^\{?\s*[vqdshb]\d", op)) for op in ops]
    if any(vectors):
        if name in ("mov", "fmov", "umov", "smov", "dup", "scvtf", "ucvtf") and not all(
            v or op.startswith("#") for v, op in zip(vectors, ops, strict=True)
        ):
            return "move"
        if into_lane or (name == "mov" and len(ops) > 1 and "[" in ops[1]):
            return "shuffle"
        if name == "movi" and "#0" in ops[1] and len(ops) == 2:
            return None
        if name == "mov":
            return None if ops[0].startswith("v") else "vec"
        return next(kind for pattern, kind in TABLE if pattern.match(name))
    if name in ("mul", "madd", "msub", "mneg", "smull", "umull", "smaddl", "umaddl", "smulh", "umulh"):
        return "mul"
    if name in ("sdiv", "udiv"):
        return "div"
    return None if name == "mov" and len(ops) > 1 and not ops[1].startswith("#") else "int"


def _memory(name: str, ops: tuple[str, ...]) -> Micro:
    at = next((k for k, op in enumerate(ops) if op.startswith("[")), len(ops))
    registers = _all(*ops[:at])
    addresses = _all(*ops[at:])
    moved = _all(ops[at]) if at < len(ops) and (ops[at].endswith("!") or at + 1 < len(ops)) else frozenset()
    wide = [op.strip("{ ")[:1] for op in ops[:at]]
    size = sum(BYTES.get(c, 8) for c in wide)
    listed = max(len(REGISTER.findall(op)) for op in ops[:at]) if at else 1
    count = float(max(len([c for c in wide if c in "qv"]), listed if wide and wide[0] == "v" else 1, 1))
    if name in ("ldp", "stp") and wide[0] in "xwds":
        count = 1.0
    lane = at > 0 and "[" in ops[at - 1] and ops[0].startswith("{")
    work: list[tuple[Kind, float]] = [("load" if name.startswith("ld") else "store", count)]
    if lane or name == "ld1r":
        work.append(("shuffle", 1.0))
    if name in ("ld2", "ld3", "ld4", "st2", "st3", "st4"):
        work.append(("shuffle", float(listed)))
    if name.startswith("st"):
        return Micro(tuple(work), registers | addresses, moved, bytes=size)
    kept = registers if lane and name != "ld1r" else frozenset()
    return Micro(tuple(work), addresses | kept, registers | moved, bytes=size)


def _all(*operands: str) -> frozenset[str]:
    found = set()
    for op in operands:
        for m in REGISTER.finditer(op):
            found.add(f"x{m[2]}" if m[1] else f"v{m[4]}" if m[3] else "sp")
    return frozenset(found)
