"""x86-64 as LLVM writes it (AT&T's order: the destination last)."""

import re
from collections.abc import Sequence

from ..assembly import Instruction
from ..control import M32, M64, STACK, Jump, Step
from .values import FLAGS, U, both, compare, condition, give, load, store, takes

JUMPS = re.compile(r"^(?:j\w+|retq?|ud2)$")
LEGACY = ("ax", "bx", "cx", "dx", "si", "di", "bp", "sp")
REGISTERS: dict[str, tuple[str, int]] = {}
for _n in LEGACY:
    _low = _n[0] + "l" if _n.endswith("x") else _n + "l"
    REGISTERS |= {f"%r{_n}": (f"r{_n}", 64), f"%e{_n}": (f"r{_n}", 32), f"%{_n}": (f"r{_n}", 16)}
    REGISTERS[f"%{_low}"] = (f"r{_n}", 8)
for _k in range(8, 16):
    for _s, _w in (("", 64), ("d", 32), ("w", 16), ("b", 8)):
        REGISTERS[f"%r{_k}{_s}"] = (f"r{_k}", _w)
WIDTHS = {"b": 8, "w": 16, "l": 32, "q": 64}
ADDRESS = re.compile(r"^([^()]*)\((%\w+)?(?:,(%\w+))?(?:,(\d+))?\)$")
ARGUMENTS = ("rdi", "rsi", "rdx", "rcx", "r8", "r9")
SYSTEM = {
    "e": "eq", "ne": "ne", "l": "lt", "ge": "ge", "le": "le", "g": "gt", "b": "lo", "ae": "hs", "be": "ls", "a": "hi",
    "s": "mi", "ns": "pl", "z": "eq", "nz": "ne",
}  # fmt: skip
TWO = {"add": "+", "sub": "-", "and": "&", "or": "|", "xor": "^"}
SHIFTS = {"shl": "({1} << ({0} & 63))", "sal": "({1} << ({0} & 63))", "sar": "(S({1}, {w}) >> ({0} & 63))",
          "shr": "(({1} & {m}) >> ({0} & 63))"}  # fmt: skip
ARITHMETIC = re.compile(
    r"^(add|sub|and|or|xor|shl|sal|sar|shr|imul|inc|dec|neg|not|mov|lea|cmp|test|push|pop)([bwlq])$"
)
EXTEND = re.compile(r"^mov([sz])([bwl])([wlq])$")
THREE = re.compile(r"^(shlx|sarx|shrx|andn)([lq])$")
NO_RESULT = re.compile(r"^(?:cmp|test|push|v(?:p?cmp|p?test|ucomis|comis)|prefetch|nop|bt[lq]$|vzero)")


class X86:
    """Registers are ``rax`` to ``r15``; 32 bits written clear the upper half."""

    always = frozenset({"rsp", "rbp"})

    def step(self, i: Instruction) -> Step | None:
        """Say what an instruction does to general registers."""
        found = self._step(i)
        if found is not None or NO_RESULT.match(i.name) or not i.operands:
            return found
        last = REGISTERS.get(i.operands[-1])
        return give(last[0], U) if last is not None else None

    def _step(self, i: Instruction) -> Step | None:
        ops = i.operands
        if m := ARITHMETIC.match(i.name):
            return self._arithmetic(m[1], WIDTHS[m[2]], ops)
        if i.name == "movabsq" and ops[0].startswith("$"):
            return _to(ops[1], _number(ops[0][1:]), 64)
        if m := EXTEND.match(i.name):
            source = _value(ops[0])
            narrow = WIDTHS[m[2]]
            code = f"S({source}, {narrow})" if m[1] == "s" else f"({source} & {2**narrow - 1})"
            return _to(ops[1], code, WIDTHS[m[3]])
        if i.name == "cltq":
            return give("rax", "S(rax, 32)")
        if m := THREE.match(i.name):
            w = WIDTHS[m[2]]
            if m[1] == "andn":
                return _to(ops[2], f"(~{_value(ops[1])} & {_value(ops[0])})", w)
            return _to(ops[2], SHIFTS[m[1][:3]].format(_value(ops[0]), _value(ops[1]), w=w, m=2**w - 1), w)
        for prefix in ("cmov", "set"):
            if i.name.startswith(prefix):
                name = i.name[len(prefix) :]
                key = name if name in SYSTEM else name[:-1]
                test = condition(SYSTEM.get(key, "?"))
                if prefix == "set":
                    return _to(ops[0], f"C({test}, 1, 0)", 64, takes_too=FLAGS)
                width = 64 if name.endswith("q") else 32
                return _to(ops[1], f"C({test}, {_value(ops[0])}, {_value(ops[1])})", width, takes_too=FLAGS)
        if i.name.startswith("call"):
            return both(give("rax", U), give("rcx", U))
        return None

    def _arithmetic(self, name: str, width: int, ops: Sequence[str]) -> Step | None:
        if name in ("cmp", "test"):
            a, b = _value(ops[1]), _value(ops[0])
            return compare(a, b, width) if name == "cmp" else compare(f"({a} & {b})", "0", width)
        if name == "push":
            return both(give("rsp", "rsp - 8"), store("rsp", _value(ops[0])))
        if name == "pop":
            return both(_to(ops[0], load("rsp"), 64) or give("rsp", "rsp"), give("rsp", "rsp + 8"))
        if name == "mov":
            return _to(ops[1], _value(ops[0]), width)
        if name == "lea":
            return _to(ops[1], _address(ops[0]), width)
        if name == "imul":
            if len(ops) == 1:
                return both(give("rax", U), give("rdx", U))
            factors = (_value(ops[0]), _value(ops[1]))
            return _to(ops[-1], f"S(S({factors[0]}, {width}) * S({factors[1]}, {width}), {width})", width)
        target = ops[-1]
        own = _value(target)
        if name in ("inc", "dec", "neg", "not"):
            code = {"inc": f"({own} + 1)", "dec": f"({own} - 1)", "neg": f"(-{own})", "not": f"(~{own})"}[name]
            before = None
        elif name in SHIFTS:
            amount = _value(ops[0]) if len(ops) > 1 else "1"
            code, before = SHIFTS[name].format(amount, own, w=width, m=2**width - 1), None
        else:
            zero = name == "xor" and ops[0] == target
            code = "0" if zero else f"({own} {TWO[name]} {_value(ops[0])})"
            before = compare(own, _value(ops[0]), width) if name == "sub" else None
        done = _to(target, code, width)
        if done is None:
            return None
        if name == "not":
            return done
        return both(before, done) if before is not None else both(done, compare(_value(target), "0", width))

    def jump(self, i: Instruction) -> Jump | None:
        """Say where an instruction goes."""
        if i.name in ("ret", "retq", "ud2"):
            return Jump("")
        if i.name.startswith("jmp"):
            return Jump(i.operands[0])
        if i.name.startswith("j"):
            return Jump(i.operands[0], condition(SYSTEM.get(i.name[1:], "?")), FLAGS)
        return None

    def start(self, arguments: Sequence[int]) -> tuple[dict[str, int], dict[int, int]]:
        """System V: six in registers, the others above the address of return."""
        registers = dict(zip(ARGUMENTS, arguments, strict=False))
        rest = arguments[len(ARGUMENTS) :]
        return registers | {"rsp": STACK, "rbp": STACK + 4096}, {STACK + 8 + 8 * k: v for k, v in enumerate(rest)}


def _to(target: str, code: str, width: int, takes_too: frozenset[str] = frozenset()) -> Step | None:
    """Give a register or a place on the stack a value; None for other memory."""
    if target in REGISTERS:
        made = give(REGISTERS[target][0], f"{code} & {M32}" if width == 32 else code)
        return Step(made.code, made.gives, made.takes | takes_too)
    return store(_address(target), code) if _on_stack(target) else None


def _number(text: str) -> str:
    try:
        return str(int(text, 0))
    except ValueError:
        return U


def _value(operand: str) -> str:
    if operand.startswith("$"):
        return _number(operand[1:])
    if operand in REGISTERS:
        name, width = REGISTERS[operand]
        return name if width == 64 else f"({name} & {2**width - 1})"
    return load(_address(operand)) if _on_stack(operand) else U


def _on_stack(operand: str) -> bool:
    m = ADDRESS.match(operand)
    return m is not None and m[2] in ("%rsp", "%rbp")


def _address(operand: str) -> str:
    m = ADDRESS.match(operand)
    if m is None or m[2] == "%rip":
        return U
    parts = [_number(m[1]) if m[1] else ""]
    parts += [REGISTERS[m[2]][0] if m[2] in REGISTERS else ""]
    if m[3] in REGISTERS:
        parts.append(f"{REGISTERS[m[3]][0]} * {m[4] or 1}")
    return f"({' + '.join(p for p in parts if p) or '0'})"


__all__ = ["JUMPS", "M64", "REGISTERS", "X86", "takes"]
