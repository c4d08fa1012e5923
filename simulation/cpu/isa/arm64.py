"""AArch64 as LLVM writes it (the destination first), for Linux and for Apple."""

import re
from collections.abc import Sequence

from ..assembly import Instruction
from ..control import M32, STACK, Jump, Step
from .values import CONDITIONS, FLAGS, INVERSE, U, both, compare, condition, give, load, store, takes

JUMPS = re.compile(r"^(?:b|b\.\w+|cbn?z|tbn?z|ret|br|brk)$")
GENERAL = re.compile(r"^(?:([xw])(\d+)|([xw])zr|(w?sp))$")
SHIFT = re.compile(r"^(lsl|lsr|asr|sxtw|uxtw|sxtx|sxtb|sxth|uxtb|uxth)(?:\s+#(\d+))?$")
MEMORY = re.compile(r"^\[(\w+)(?:,\s*#(-?\w+))?\](!?)$")
TWO = {"add": "+", "sub": "-", "and": "&", "orr": "|", "eor": "^", "mul": "*"}
FORMS = {
    "madd": "({3} + {1} * {2})", "msub": "({3} - {1} * {2})", "mneg": "(-({1} * {2}))", "neg": "(-{1})",
    "mvn": "(~{1})", "bic": "({1} & ~{2})", "orn": "({1} | ~{2})", "eon": "({1} ^ ~{2})",
    "lsl": "({1} << ({2} & {k}))", "asr": "(S({1}, {w}) >> ({2} & {k}))", "lsr": "(({1} & {m}) >> ({2} & {k}))",
    "sxtw": "S({1}, 32)", "sxth": "S({1}, 16)", "sxtb": "S({1}, 8)", "uxth": "({1} & 65535)", "uxtb": "({1} & 255)",
    "uxtw": f"({{1}} & {M32})", "smull": "(S({1}, 32) * S({2}, 32))",
    "umull": f"(({{1}} & {M32}) * ({{2}} & {M32}))", "smulh": "((S({1}, 64) * S({2}, 64)) >> 64)",
    "smaddl": "({3} + S({1}, 32) * S({2}, 32))", "umaddl": f"({{3}} + ({{1}} & {M32}) * ({{2}} & {M32}))",
    "sdiv": "D(S({1}, {w}), S({2}, {w}))", "udiv": "D({1} & {m}, {2} & {m})",
    "ubfx": "(({1} >> {2}) & ((1 << {3}) - 1))", "sbfx": "S({1} >> {2}, {3})",
    "ubfiz": "(({1} & ((1 << {3}) - 1)) << {2})", "sbfiz": "(S({1}, {3}) << {2})",
    "bfi": "(({0} & ~(((1 << {3}) - 1) << {2})) | (({1} & ((1 << {3}) - 1)) << {2}))",
    "bfxil": "(({0} & ~((1 << {3}) - 1)) | (({1} >> {2}) & ((1 << {3}) - 1)))",
}  # fmt: skip
CHOICES = {"csel": "{2}", "csinc": "({2} + 1)", "csinv": "(~{2})", "csneg": "(-{2})"}
NO_RESULT = re.compile(r"^(?:cmp|cmn|tst|ccmp|ccmn|st|prfm|b|cb|tb|ret|fcmp|nop|hint)")
LOADS = re.compile(r"^ldu?r(sw|b|h|sb|sh)?$")


class Arm64:
    """Registers are ``x0`` to ``x30`` and ``sp``; 32 bits written clear the upper half."""

    always = frozenset({"sp", "x29"})

    def step(self, i: Instruction) -> Step | None:
        """Say what an instruction does to general registers."""
        found = self._step(i)
        if found is not None or NO_RESULT.match(i.name) or not i.operands:
            return found
        many = 2 if i.name in ("ldp", "ldpsw") else 1
        lost = [give(r, U) for op in i.operands[:many] if (r := _register(op))]
        lost += _moved(i)
        if not lost:
            return None
        step = lost[0]
        for other in lost[1:]:
            step = both(step, other)
        return step

    def _step(self, i: Instruction) -> Step | None:
        ops, name = i.operands, i.name
        if name in ("cmp", "cmn", "tst"):
            width = _width(ops[0])
            a, b = _value(ops[0]), _shifted(ops, 1)
            code = f"({a} & {b})" if name == "tst" else a
            return compare(code, {"cmp": b, "cmn": f"(-{b})", "tst": "0"}[name], width)
        if name in ("ccmp", "ccmn"):
            return Step("fs = ft = U", FLAGS, frozenset())
        if name == "bl" or name == "blr":
            return both(give("x0", U), give("x30", U))
        if name.startswith(("st", "ld")):
            return self._memory(name, ops)
        target = _register(ops[0]) if ops else ""
        if not target:
            return None
        width = _width(ops[0])
        found = self._code(name, ops, width)
        if found is None:
            return None
        done = give(target, f"{found} & {M32}" if width == 32 else found)
        if name in ("adds", "subs", "ands", "negs", "bics"):
            flags = compare(_value(ops[1]), _shifted(ops, 2), width) if name == "subs" else None
            return both(flags, done) if flags else both(done, compare(_value(ops[0]), "0", width))
        needs = FLAGS if name.startswith("cs") else frozenset()
        return Step(done.code, done.gives, done.takes | needs)

    def _code(self, name: str, ops: Sequence[str], width: int) -> str | None:
        if name == "mov":
            return _value(ops[1])
        if name == "movk":
            at = int(ops[2].split("#")[1]) if len(ops) > 2 else 0
            return f"(({_value(ops[0])} & ~{65535 << at}) | ({_value(ops[1])} << {at}))"
        if name in ("movz", "movn"):
            at = int(ops[2].split("#")[1]) if len(ops) > 2 else 0
            return f"({'~' if name == 'movn' else ''}({_value(ops[1])} << {at}))"
        base = name[:-1] if name in ("adds", "subs", "ands", "bics", "negs") else name
        if base in TWO:
            return f"({_value(ops[1])} {TWO[base]} {_shifted(ops, 2)})"
        if base in CHOICES:
            return f"C({condition(ops[3])}, {_value(ops[1])}, {CHOICES[base].format('', '', _value(ops[2]))})"
        if base in ("cset", "csetm"):
            return f"C({condition(ops[1])}, {'1' if base == 'cset' else '-1'}, 0)"
        if base in ("cinc", "cneg", "cinv"):
            other = {"cinc": "({} + 1)", "cneg": "(-{})", "cinv": "(~{})"}[base].format(_value(ops[1]))
            return f"C({condition(ops[2])}, {other}, {_value(ops[1])})"
        if base in FORMS:
            last = 1 if base in ("neg", "mvn") else 2
            values = [_value(op) if k != last else _shifted(ops, k) for k, op in enumerate(ops) if not SHIFT.match(op)]
            return FORMS[base].format(*values, w=width, m=2**width - 1, k=width - 1)
        return None

    def _memory(self, name: str, ops: Sequence[str]) -> Step | None:
        """Loads and stores of the stack, and what both do to the register of the address."""
        pair = name in ("ldp", "stp")
        count = 2 if pair else 1
        address = MEMORY.match(ops[count]) if len(ops) > count else None
        if address is None or address[1] not in ("sp", "x29"):
            return None
        base, offset = address[1], address[2] or "0"
        steps: list[Step] = []
        if address[3]:
            steps.append(give(base, f"({base} + {offset})"))
            offset = "0"
        size = 4 if ops[0].startswith(("w", "s")) else 16 if ops[0].startswith("q") else 8
        for k, op in enumerate(ops[:count]):
            place = f"{base} + {offset} + {k * size}"
            if name in ("str", "stur", "stp"):
                steps.append(store(place, _value(op)))
            elif target := _register(op):
                signed = "S({}, 32)" if name == "ldrsw" else "{}"
                known = LOADS.match(name) and (LOADS.match(name) or [""])[1] in (None, "sw")
                steps.append(give(target, signed.format(load(place)) if known or pair else U))
        if len(ops) > count + 1:
            steps.append(give(base, f"({base} + {_value(ops[count + 1])})"))
        if not steps:
            return None
        made = steps[0]
        for step in steps[1:]:
            made = both(made, step)
        return made

    def jump(self, i: Instruction) -> Jump | None:
        """Say where an instruction goes."""
        name, ops = i.name, i.operands
        if name in ("ret", "br", "brk"):
            return Jump("")
        if name == "b":
            return Jump(ops[0])
        if name.startswith("b."):
            return Jump(ops[0], condition(name[2:]), FLAGS)
        if name in ("cbz", "cbnz"):
            mask = f"({_value(ops[0])} & {2 ** _width(ops[0]) - 1})"
            return Jump(ops[1], f"{mask} {'==' if name == 'cbz' else '!='} 0", takes(mask))
        if name in ("tbz", "tbnz"):
            bit = f"(({_value(ops[0])} >> {ops[1][1:]}) & 1)"
            return Jump(ops[2], f"{bit} {'==' if name == 'tbz' else '!='} 0", takes(bit))
        return None

    def start(self, arguments: Sequence[int]) -> tuple[dict[str, int], dict[int, int]]:
        """AAPCS64: eight in registers, the others on the stack."""
        registers = {f"x{k}": v for k, v in enumerate(arguments[:8])}
        rest = {STACK + 8 * k: v for k, v in enumerate(arguments[8:])}
        return registers | {"sp": STACK, "x29": STACK + 4096}, rest


class AppleArm64(Arm64):
    """The same with Apple's places for arguments: on the stack each takes as much as its type."""

    def start(self, arguments: Sequence[int]) -> tuple[dict[str, int], dict[int, int]]:
        """Pointers take eight bytes, the integers at the end four."""
        registers, _ = super().start(arguments)
        memory, at = {}, STACK
        for value in arguments[8:]:
            size = 8 if value >= 1 << 32 else 4
            at = -(-at // size) * size
            memory[at] = value
            at += size
        return registers, memory


def _moved(i: Instruction) -> list[Step]:
    """Addresses that a load moves on: [x1], #16 and [x1, #16]!."""
    for k, op in enumerate(i.operands):
        if op.startswith("["):
            m = MEMORY.match(op)
            base = _register(m[1]) if m else ""
            if m and base and m[3]:
                return [give(base, f"({base} + {m[2]})")]
            if m and base and k + 1 < len(i.operands):
                return [give(base, f"({base} + {_value(i.operands[k + 1])})")]
    return []


def _register(operand: str) -> str:
    m = GENERAL.match(operand)
    if m is None or m[3]:
        return ""
    return "sp" if m[4] else f"x{m[2]}"


def _width(operand: str) -> int:
    return 32 if operand.startswith("w") else 64


def _value(operand: str) -> str:
    if operand.startswith("#"):
        try:
            return str(int(operand[1:], 0))
        except ValueError:
            return U
    if operand in ("xzr", "wzr"):
        return "0"
    name = _register(operand)
    if not name:
        return U
    return name if _width(operand) == 64 else f"({name} & {M32})"


def _shifted(ops: Sequence[str], k: int) -> str:
    """An operand with the shift or the extension that stands behind it."""
    value = _value(ops[k])
    m = SHIFT.match(ops[k + 1]) if len(ops) > k + 1 else None
    if m is None:
        return value
    amount = m[2] or "0"
    kind, width = m[1], _width(ops[k])
    if kind in ("sxtw", "sxth", "sxtb", "sxtx"):
        return f"(S({value}, {({'w': 32, 'h': 16, 'b': 8, 'x': 64})[kind[3]]}) << {amount})"
    if kind in ("uxtw", "uxth", "uxtb"):
        return f"(({value} & {2 ** ({'w': 32, 'h': 16, 'b': 8})[kind[3]] - 1}) << {amount})"
    return FORMS[kind].format("", value, amount, w=width, m=2**width - 1, k=63)


__all__ = ["CONDITIONS", "INVERSE", "JUMPS", "AppleArm64", "Arm64"]
