"""Arm of 32 bits (A32, NEON) as LLVM writes it: most instructions may carry a condition."""

import re
from collections.abc import Sequence

from ..assembly import Instruction
from ..control import M32, STACK, Jump, Step
from .values import FLAGS, U, both, compare, condition, give, load, store, takes

CONDITION = "eq|ne|lt|ge|le|gt|lo|hs|ls|hi|mi|pl|cs|cc|vs|vc"
JUMPS = re.compile(rf"^(?:b(?:{CONDITION})?|bx(?:{CONDITION})?|udf)$")
GENERAL = re.compile(r"^(?:r\d+|sp|lr|pc|r1[0-5])$")
BASES = (
    "add", "adds", "sub", "subs", "rsb", "rsbs", "and", "ands", "orr", "orrs", "eor", "eors", "bic", "bics", "mov",
    "movs", "mvn", "mvns", "movw", "movt", "lsl", "lsls", "lsr", "lsrs", "asr", "asrs", "mul", "muls", "mla", "mls",
    "cmp", "cmn", "tst", "teq", "bfi", "bfc", "ubfx", "sbfx", "sxtb", "sxth", "uxtb", "uxth", "ldr", "str", "ldrd",
    "strd", "push", "pop", "adc", "adcs", "sbc", "sbcs", "rsc", "bl", "blx", "smull", "umull", "stm", "ldm", "vpush",
    "vpop", "stmib", "ldmib", "stmdb", "ldrb", "ldrh", "ldrsb", "ldrsh", "strb", "strh", "smmul", "smmla", "smlal",
    "umlal", "smlabb", "smulbb", "ssat", "usat", "clz", "adr", "uxtab", "sxtab", "sxtah", "uxtah", "rev",
)  # fmt: skip
NAMES = {f"{b}{c}": (b, c) for b in BASES for c in ("", *CONDITION.split("|"))}
SHIFT = re.compile(r"^(lsl|lsr|asr)\s+#?(\w+)$")
MEMORY = re.compile(r"^\[(\w+)(?:(?::\d+)?,\s*#(-?\w+))?(?::\d+)?\](!?)$")
TWO = {"add": "{1} + {2}", "sub": "{1} - {2}", "rsb": "{2} - {1}", "and": "{1} & {2}", "orr": "{1} | {2}",
       "eor": "{1} ^ {2}", "bic": "{1} & ~{2}", "lsl": "{1} << ({2} & 255)", "lsr": f"({{1}} & {M32}) >> ({{2}} & 255)",
       "asr": "S({1}, 32) >> ({2} & 255)", "mul": "{1} * {2}"}  # fmt: skip
FORMS = {
    "mla": "{1} * {2} + {3}", "mls": "{3} - {1} * {2}", "bfi": "({0} & ~(((1 << {3}) - 1) << {2})) | "
    "(({1} & ((1 << {3}) - 1)) << {2})", "bfc": "{0} & ~(((1 << {2}) - 1) << {1})",
    "ubfx": "({1} >> {2}) & ((1 << {3}) - 1)", "sbfx": "S({1} >> {2}, {3})", "sxtb": "S({1}, 8)", "sxth": "S({1}, 16)",
    "uxtb": "{1} & 255", "uxth": "{1} & 65535", "smmul": "(S({1}, 32) * S({2}, 32)) >> 32",
}  # fmt: skip
LOST_TWO = ("smull", "umull", "smlal", "umlal", "ldrd")


class Arm32:
    """Registers are ``r0`` to ``r12``, ``sp`` and ``lr``."""

    always = frozenset({"sp", "r11", "r7"})

    def step(self, i: Instruction) -> Step | None:
        """Say what an instruction does to general registers."""
        name, test = NAMES.get(i.name, (i.name, ""))
        found = self._step(name, i.operands)
        if found is None:
            found = self._lost(name, i.operands)
        if found is None or not test:
            return found
        code = "\n".join(f"    {line}" for line in found.code.split("\n"))
        lost = "; ".join(f"{r} = U" for r in sorted(found.gives - {"mem"})) or "pass"
        text = f"t = {condition(test)}\nif isinstance(t, X): {lost}\nelif t:\n{code}"
        return Step(text, found.gives, found.takes | FLAGS | found.gives - {"mem"})

    def _lost(self, name: str, ops: Sequence[str]) -> Step | None:
        """Registers that get a value that is not followed."""
        if name in ("bl", "blx"):
            return Step(
                "r0 = r1 = r2 = r3 = r12 = lr = U", frozenset({"r0", "r1", "r2", "r3", "r12", "lr"}), frozenset()
            )
        if not ops or name.startswith(("st", "cmp", "v", "b", "push", "pld", "dmb")):
            return _moved(ops) if ops else None
        if name.startswith("ldm"):
            lost = [give(r, U) for r in _listed(ops[1])]
            if ops[0].endswith("!"):
                base = ops[0][:-1]
                lost.append(give(base, f"({base} + {4 * len(lost)})"))
        else:
            lost = [give(op, U) for op in ops[: 2 if name in LOST_TWO else 1] if GENERAL.match(op)]
            if (moved := _moved(ops)) is not None:
                lost.append(moved)
        made = lost[0] if lost else None
        for step in lost[1:]:
            made = both(made, step) if made else step
        return made

    def _step(self, name: str, ops: Sequence[str]) -> Step | None:
        if name in ("cmp", "cmn", "tst", "teq"):
            a, b = _value(ops[0]), _shifted(ops, 1)
            code = {"tst": f"({a} & {b})", "teq": f"({a} ^ {b})"}.get(name, a)
            return compare(code, {"cmp": b, "cmn": f"(-{b})"}.get(name, "0"), 32)
        if name in ("push", "vpush", "pop", "vpop"):
            return _pushed(name, ops)
        if name in ("ldr", "str") and len(ops) > 1 and (m := MEMORY.match(ops[1])):
            return self._memory(name, ops, m)
        if name in ("stm", "stmib") and ops[0] in ("sp", "r12", "lr", *(f"r{k}" for k in range(12))):
            first = 4 if name == "stmib" else 0
            made: Step | None = None
            for k, register in enumerate(_listed(ops[1])):
                step = store(f"{ops[0]} + {4 * k + first}", register)
                made = both(made, step) if made else step
            return made
        base = name[:-1] if name.endswith("s") and name not in ("mls", "smmls") else name
        if not ops or not GENERAL.match(ops[0]):
            return None
        result = self._code(base, ops)
        if result is None:
            return None
        done = give(ops[0], f"({result}) & {M32}")
        if base == name:
            return done
        if base == "sub":
            return both(compare(_value(ops[1]), _shifted(ops, 2), 32), done)
        return both(done, compare(ops[0], "0", 32))

    def _code(self, base: str, ops: Sequence[str]) -> str | None:
        if base in ("mov", "movw"):
            return _shifted(ops, 1)
        if base == "mvn":
            return f"~{_shifted(ops, 1)}"
        if base == "movt":
            return f"({ops[0]} & 65535) | ({_value(ops[1])} << 16)"
        if base in TWO:
            if len(ops) == 2 or (SHIFT.match(ops[-1]) and len(ops) == 3):  # add r0, r1 is add r0, r0, r1
                ops = [ops[0], *ops]
            return TWO[base].format("", _value(ops[1]), _shifted(ops, 2))
        if base in FORMS:
            return FORMS[base].format(*map(_value, ops))
        return None

    def _memory(self, name: str, ops: Sequence[str], m: re.Match[str]) -> Step | None:
        if m[1] not in ("sp", "r11", "r7"):
            return None
        place = f"{m[1]} + {m[2] or 0}"
        done = store(place, _value(ops[0])) if name == "str" else give(ops[0], load(place))
        if m[3]:
            return both(give(m[1], place), store(m[1], _value(ops[0])) if name == "str" else give(ops[0], load(m[1])))
        if len(ops) > 2:
            return both(done, give(m[1], f"{m[1]} + {_value(ops[2])}"))
        return done

    def jump(self, i: Instruction) -> Jump | None:
        """Say where an instruction goes."""
        if i.name.startswith("bx") or i.name == "udf" or (i.name.startswith("pop") and "pc" in i.operands[0]):
            test = i.name[2:] if i.name.startswith("bx") else i.name[3:] if i.name.startswith("pop") else ""
            return Jump("", condition(test) if test else "", FLAGS if test else frozenset())
        if not JUMPS.match(i.name):
            return None
        test = i.name[1:]
        return Jump(i.operands[0], condition(test) if test else "", FLAGS if test else frozenset())

    def start(self, arguments: Sequence[int]) -> tuple[dict[str, int], dict[int, int]]:
        """AAPCS: four in registers, the others on the stack."""
        registers = {f"r{k}": v for k, v in enumerate(arguments[:4])}
        rest = {STACK + 4 * k: v for k, v in enumerate(arguments[4:])}
        return registers | {"sp": STACK, "r11": STACK + 4096}, rest


def _listed(operand: str) -> list[str]:
    return [r.strip() for r in operand.strip("{}").split(",")]


def _pushed(name: str, ops: Sequence[str]) -> Step:
    """The stack's end moves, and the registers go there or come back."""
    listed = _listed(ops[0])
    size = 8 if name.startswith("v") else 4
    total = size * len(listed)
    if name in ("push", "vpush"):
        made = give("sp", f"sp - {total}")
        for k, register in enumerate(listed if name == "push" else []):
            made = both(made, store(f"sp + {4 * k}", register))
        return made
    steps = [give(r, load(f"sp + {4 * k}")) for k, r in enumerate(listed) if name == "pop" and r != "pc"]
    made = give("sp", f"sp + {total}")
    for step in reversed(steps):
        made = both(step, made)
    return made


def _moved(ops: Sequence[str]) -> Step | None:
    """Addresses that a load moves on: [r1]! by what is loaded, [r1], r2 by a register, [r1, #4]! by a number."""
    for k, op in enumerate(ops):
        m = re.match(r"^\[(\w+)", op)
        if m and GENERAL.match(m[1]) and op.endswith("!"):
            known = MEMORY.match(op)
            if known and known[2]:
                return give(m[1], f"({m[1]} + {known[2]})")
            if known and k > 0:
                return give(m[1], f"({m[1]} + {_length(ops[0])})")
            return give(m[1], U)
        if m and GENERAL.match(m[1]) and k + 1 < len(ops):
            return give(m[1], f"({m[1]} + {_value(ops[k + 1])})")
    return None


def _length(operand: str) -> int:
    """Bytes of a list of vector registers: {d16}, {d16, d17}, {d0[0]} (which only 32-bit lanes use here)."""
    inner = operand.strip("{}")
    if "[" in inner:
        return 4
    parts = [p.strip() for p in inner.split(",")]
    if len(parts) == 1 and "-" in parts[0]:
        a, b = parts[0].split("-")
        return 8 * (int(b.strip()[1:]) - int(a.strip()[1:]) + 1)
    return 8 * len(parts)


def _value(operand: str) -> str:
    if operand.startswith("#"):
        try:
            return str(int(operand[1:], 0))
        except ValueError:
            return U
    return operand if GENERAL.match(operand) and operand != "pc" else U


def _shifted(ops: Sequence[str], k: int) -> str:
    value = _value(ops[k])
    m = SHIFT.match(ops[k + 1]) if len(ops) > k + 1 else None
    if m is None:
        return value
    amount = m[2] if m[2].isdecimal() else _value(m[2])
    return f"({TWO[m[1]].format('', value, amount)})"


__all__ = ["JUMPS", "Arm32", "takes"]
