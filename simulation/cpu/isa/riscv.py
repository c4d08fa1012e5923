"""RISC-V of 64 bits as LLVM writes it."""

import re
from collections.abc import Sequence

from ..assembly import Instruction
from ..control import M32, M64, STACK, Jump, Step
from .values import U, both, give, load, store, takes

JUMPS = re.compile(r"^(?:b(?:eq|ne|lt|ge|le|gt)u?z?|j|jr|ret|tail|unimp)$")
GENERAL = re.compile(r"^(?:zero|ra|sp|gp|tp|fp|[ast]\d+)$")
MEMORY = re.compile(r"^(-?\w*)\((\w+)\)$")
S64, S32 = "S({}, 64)", "S({}, 32)"
FORMS = {
    "add": "({1} + {2})", "addi": "({1} + {2})", "sub": "({1} - {2})", "neg": "(-{1})", "mv": "{1}", "li": "{1}",
    "lui": "S({1} << 12, 32)", "addw": "S({1} + {2}, 32)", "addiw": "S({1} + {2}, 32)", "subw": "S({1} - {2}, 32)",
    "negw": "S(-{1}, 32)", "sext.w": "S({1}, 32)", "sext.h": "S({1}, 16)", "sext.b": "S({1}, 8)",
    "zext.w": f"({{1}} & {M32})", "zext.h": "({1} & 65535)", "zext.b": "({1} & 255)", "and": "({1} & {2})",
    "andi": "({1} & {2})", "or": "({1} | {2})", "ori": "({1} | {2})", "xor": "({1} ^ {2})", "xori": "({1} ^ {2})",
    "not": "(~{1})", "andn": "({1} & ~{2})", "orn": "({1} | ~{2})", "xnor": "(~({1} ^ {2}))",
    "sll": "({1} << ({2} & 63))", "slli": "S({1} << {2}, 64)", "sra": "(S({1}, 64) >> ({2} & 63))",
    "srai": "(S({1}, 64) >> {2})", "srl": f"(({{1}} & {M64}) >> ({{2}} & 63))", "srli": f"(({{1}} & {M64}) >> {{2}})",
    "slliw": "S({1} << {2}, 32)", "sraiw": "(S({1}, 32) >> {2})", "srliw": f"S(({{1}} & {M32}) >> {{2}}, 32)",
    "sllw": "S({1} << ({2} & 31), 32)", "sraw": "(S({1}, 32) >> ({2} & 31))", "mul": "S({1} * {2}, 64)",
    "mulw": "S({1} * {2}, 32)", "mulh": "((S({1}, 64) * S({2}, 64)) >> 64)", "div": "D({1}, {2})",
    "divw": "D({1}, {2})", "sh1add": "(({1} << 1) + {2})", "sh2add": "(({1} << 2) + {2})",
    "sh3add": "(({1} << 3) + {2})", "add.uw": f"(({{1}} & {M32}) + {{2}})",
    "sh1add.uw": f"((({{1}} & {M32}) << 1) + {{2}})", "sh2add.uw": f"((({{1}} & {M32}) << 2) + {{2}})",
    "sh3add.uw": f"((({{1}} & {M32}) << 3) + {{2}})", "slli.uw": f"(({{1}} & {M32}) << {{2}})",
    "slt": "C({1} < {2}, 1, 0)", "slti": "C({1} < {2}, 1, 0)", "sgtz": "C({1} > 0, 1, 0)", "sltz": "C({1} < 0, 1, 0)",
    "seqz": "C({1} == 0, 1, 0)", "snez": "C({1} != 0, 1, 0)", "sltu": f"C(({{1}} & {M64}) < ({{2}} & {M64}), 1, 0)",
    "sltiu": f"C(({{1}} & {M64}) < ({{2}} & {M64}), 1, 0)", "sgt": "C({1} > {2}, 1, 0)",
    "czero.eqz": "C({2} == 0, 0, {1})", "czero.nez": "C({2} != 0, 0, {1})", "min": "C({1} < {2}, {1}, {2})",
    "max": "C({1} > {2}, {1}, {2})", "minu": f"C(({{1}} & {M64}) < ({{2}} & {M64}), {{1}}, {{2}})",
    "maxu": f"C(({{1}} & {M64}) > ({{2}} & {M64}), {{1}}, {{2}})", "bset": "({1} | (1 << ({2} & 63)))",
    "bseti": "({1} | (1 << {2}))", "bclri": "({1} & ~(1 << {2}))", "binvi": "({1} ^ (1 << {2}))",
    "bexti": "(({1} >> {2}) & 1)",
}  # fmt: skip
TESTS = {"eq": "==", "ne": "!=", "lt": "<", "ge": ">=", "le": "<=", "gt": ">"}
BRANCH = re.compile(r"^b(eq|ne|lt|ge|le|gt)(u?)(z?)$")
NO_RESULT = re.compile(r"^(?:s[bhwd]|fs[hwd]|vs\w+\.v|b(?:eq|ne|lt|ge|le|gt)u?z?|j|jr|ret|tail|fence|csrw\w?)$")
VECTOR = re.compile(r"^e(\d+)$")
GROUPS = {"m1": 1.0, "m2": 2.0, "m4": 4.0, "m8": 8.0, "mf2": 0.5, "mf4": 0.25, "mf8": 0.125}


class RiscV:
    """Registers go by their names in the calling convention; ``vector_bits``: VLEN."""

    always = frozenset({"sp", "s0"})

    def __init__(self, vector_bits: int = 128) -> None:
        self.vector_bits = vector_bits

    def step(self, i: Instruction) -> Step | None:
        """Say what an instruction does to general registers."""
        found = self._step(i)
        if found is not None or NO_RESULT.match(i.name) or not i.operands:
            return found
        target = i.operands[0]
        return give(target, U) if GENERAL.match(target) and target != "zero" else None

    def _step(self, i: Instruction) -> Step | None:
        ops, name = i.operands, i.name
        if name == "call":
            return both(give("a0", U), give("ra", U))
        if name in ("ld", "lw", "sd", "sw") and (m := MEMORY.match(ops[1])) and (m[2] in ("sp", "s0") or name != "sw"):
            # behind vectors of a length that is not known when compiling, places of the stack are computed
            place = f"{m[2]} + {m[1] or 0}"
            if name.startswith("s"):
                return store(place, _value(ops[0]))
            return give(ops[0], f"S({load(place)}, 32)" if name == "lw" else load(place))
        if not ops or not GENERAL.match(ops[0]) or ops[0] == "zero":
            return None
        if name == "csrr" and ops[1] == "vlenb":
            return give(ops[0], str(self.vector_bits // 8))
        if name in ("vsetvli", "vsetivli"):
            return give(ops[0], self._length(ops))
        if name in FORMS and not any("%" in op for op in ops):
            code = FORMS[name].format(*map(_value, ops))
            return give(ops[0], code)
        return None

    def _length(self, ops: Sequence[str]) -> str:
        width = next((int(m[1]) for op in ops if (m := VECTOR.match(op))), 8)
        most = int(self.vector_bits / width * next((GROUPS[op] for op in ops if op in GROUPS), 1))
        wanted = ops[1]
        if wanted == "zero":
            return str(most)
        value = _value(wanted)
        return f"C({value} < {most}, {value}, {most})"

    def jump(self, i: Instruction) -> Jump | None:
        """Say where an instruction goes."""
        name, ops = i.name, i.operands
        if name in ("ret", "jr", "unimp", "tail"):
            return Jump("")
        if name == "j":
            return Jump(ops[0])
        m = BRANCH.match(name)
        if m is None:
            return None
        a, b = _value(ops[0]), "0" if m[3] else _value(ops[1])
        shape = f"({{}} & {M64})" if m[2] else S64
        if m[1] in ("eq", "ne"):
            shape = f"({{}} & {M64})"
        test = f"{shape.format(a)} {TESTS[m[1]]} {shape.format(b)}"
        return Jump(ops[-1], test, takes(a) | takes(b))

    def start(self, arguments: Sequence[int]) -> tuple[dict[str, int], dict[int, int]]:
        """The standard convention: eight in registers, the others on the stack."""
        registers = {f"a{k}": v for k, v in enumerate(arguments[:8])}
        rest = {STACK + 8 * k: v for k, v in enumerate(arguments[8:])}
        return registers | {"sp": STACK, "s0": STACK + 4096}, rest


def _value(operand: str) -> str:
    if operand == "zero":
        return "0"
    if GENERAL.match(operand):
        return operand
    try:
        return str(int(operand, 0))
    except ValueError:
        return U
