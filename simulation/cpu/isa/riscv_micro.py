"""RISC-V for the pipeline: vectors take as long as their group of registers is."""

import re

from ..assembly import Instruction
from ..micro import Kind, Micro, once, table
from .riscv import GROUPS, JUMPS

REGISTER = re.compile(r"\b(ra|sp|[ast]\d+|f[ast]\d+|v\d+)\b")
TABLE = table(
    (r"^v?f(?:div|sqrt|rec7|rsqrt)", "fdiv"), (r"^v?f\w*cvt", "convert"), (r"^vf(?:mv|merge)", "vec"),
    (r"^vf", "fma"), (r"^vw?n?m(?:acc|add|sac|sub|ul)|^vwm|^vsmul|^vnms", "vmul"),
    (r"^v(?:slide|rgather|compress|zext|sext|ns?r[la]|nclip|merge|vmv[1248]r)", "shuffle"),
    (r"^vs?s[lr][la]|^vn?sr", "shift"), (r"", "vec"),
)  # fmt: skip
SUMS = re.compile(r"^vf?w?n?m(?:acc|add|sac|sub)(?:u|su|us)?\.|^vfn?m(?:acc|add|sac|sub)")
FLOATS = re.compile(r"^f(?:add|sub|mul|madd|msub|nmadd|nmsub|max|min|eq|lt|le)\.")
LOADS = re.compile(r"^(?:l[bhwd]u?|fl[hwd])$")
STORES = re.compile(r"^(?:s[bhwd]|fs[hwd])$")
MULTIPLIES = re.compile(r"^mul")
VECTOR_MEMORY = re.compile(r"^v([ls])(e|se|uxei|oxei|seg\d+e|\d+r|\d+re|m|\d+r)\d*\.v$")


class RiscVMicro:
    """``vector_bits``: of a register; the length and the group that were set last hold for what follows."""

    def __init__(self, vector_bits: int = 128) -> None:
        self.vector_bits = vector_bits
        self.group = 1.0
        self.length = 0

    def micro(self, i: Instruction) -> Micro:
        """Say what an instruction is made of."""
        name, ops = i.name, i.operands
        if JUMPS.match(name):
            return Micro(once("branch"), _all(*ops[:2]), frozenset())
        if name == "call":
            return Micro(once("call"), frozenset(), frozenset({"a0"}))
        if name.startswith("vset"):
            self.group = next((GROUPS[op] for op in ops if op in GROUPS), 1.0)
            width = next((int(op[1:]) for op in ops if re.match(r"^e\d+$", op)), 8)
            most = int(self.vector_bits / width * self.group)
            self.length = min(int(ops[1]), most) if ops[1].isdecimal() else most
            return Micro(once("config"), _all(*ops[1:2]), _all(ops[0]) | {"vl"})
        if not ops:
            return Micro((), frozenset(), frozenset())
        if name.startswith("v"):
            return self._vector(name, ops)
        if LOADS.match(name):
            return Micro(once("load"), _all(*ops[1:]), _all(ops[0]), bytes=8)
        if STORES.match(name):
            return Micro(once("store"), _all(*ops), frozenset(), bytes=8)
        kind: Kind = "int"
        if FLOATS.match(name):
            kind = "fma"
        elif name.startswith("f"):
            kind = next(k for p, k in TABLE if p.match(name))
            kind = "move" if kind == "vec" else kind
        elif MULTIPLIES.match(name):
            kind = "mul"
        elif name.startswith(("div", "rem")):
            kind = "div"
        return Micro(once(kind), _all(*ops[1:]), _all(ops[0]))

    def _vector(self, name: str, ops: tuple[str, ...]) -> Micro:
        whole = max(self.group, 1.0)
        if m := VECTOR_MEMORY.match(name):
            kind: Kind = "load" if m[1] == "l" else "store"
            times = whole
            if m[2] in ("se", "uxei", "oxei"):
                times = float(max(self.length, 1))
            elif m[2].startswith("seg"):
                times = float(max(self.length, 1)) * int(re.sub(r"\D", "", m[2]))
            elif m[2][:1].isdigit():
                times = float(m[2][0])
            registers, addresses = _all(ops[0]), _all(*ops[1:])
            size = int(self.vector_bits / 8 * min(self.group, 1.0) * whole)
            if kind == "store":
                return Micro(((kind, times),), registers | addresses | {"vl"}, frozenset(), bytes=size)
            return Micro(((kind, times),), addresses | {"vl"}, registers, bytes=size)
        kind = next(k for p, k in TABLE if p.match(name))
        writes = _all(ops[0])
        sums = writes if SUMS.match(name) else frozenset()
        reads = _all(*ops[1:]) | {"vl"}
        if name.startswith("vslideup"):
            reads |= writes
        if not any(w.startswith("v") for w in writes):
            kind = "move"
        widened = 2.0 if name.startswith(("vw", "vfw", "vn")) else 1.0
        times = max(self.group * widened, 1.0)
        if name.startswith("vrgather"):
            times = whole * whole
        if m := re.match(r"^vmv(\d)r", name):
            times = float(m[1])
        return Micro(((kind, times),), reads, writes, sums)


def _all(*operands: str) -> frozenset[str]:
    return frozenset(r for op in operands for r in REGISTER.findall(op))
