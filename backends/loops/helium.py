"""What Helium, the vectors of Arm's M cores (MVE), can do: kernels that need more are written without vectors.

Arithmetic has four lanes of 32 bits. Narrower integers are widened as they are loaded and narrowed as they are stored,
by the same instruction. (Armv8-M Architecture Reference Manual, DDI 0553, chapter B5.)
"""

from .code import Function, Store, Value
from .walk import parts, statements, values

LANES = 4
HELD = ("int8", "uint8", "int16", "uint16", "int32")
"""What lanes of 32 bits may be loaded from, and stored as."""
ARITHMETIC = {"add", "sub", "mul", "min", "max", "bitand", "bitor", "bitxor", "shl", "shr"}
LOGIC = {"and", "or", "not", "lt", "le", "gt", "ge", "eq", "ne"}
MOVED = {
    ("int8", "int8"): (8, 16), ("uint8", "uint8"): (8, 16), ("int8", "int16"): (8,), ("uint8", "int16"): (8,),
    ("int16", "int16"): (8,),
}  # fmt: skip
"""What is copied from memory to memory without arithmetic: types of source and target, and how many at once."""


def fits(function: Function) -> bool:
    """Whether all vectors of a kernel are some that Helium has."""
    seen: set[int] = set()
    return all(
        _stored(s, seen) if isinstance(s, Store) else all(_computed(v, seen) for v in values(s))
        for s in statements(function.body)
    )


def moved(s: Store) -> Value | None:
    """Give what a store copies (a load or a constant), where it is a whole vector without arithmetic; else None."""
    inner = s.value.parts[0] if s.value.op == "cast" else s.value
    lanes = MOVED.get((inner.dtype if inner.op == "load" else s.memory.dtype, s.memory.dtype), ())
    if s.value.lanes not in lanes or inner.op not in ("load", "const") or not _in_a_row(s.place):
        return None
    return inner if inner.op == "const" or _in_a_row(inner.parts[1]) else None


def widest(source: str, target: str) -> int:
    """How many elements are copied at once from memory of one type to memory of another."""
    return max(MOVED.get((source, target), (LANES if source in HELD and target in HELD else 1,)))


def _stored(s: Store, seen: set[int]) -> bool:
    """Whether a vector can be stored so."""
    if s.value.lanes == 1:
        return _computed(s.place, seen) and _computed(s.value, seen)
    if moved(s) is not None:
        return True
    v = s.value.parts[0] if s.value.op == "cast" else s.value  # stores narrow
    return _in_a_row(s.place) and s.memory.dtype in HELD and _computed(v, seen)


def _in_a_row(place: Value) -> bool:
    return place.op == "ramp" and place.parts[1] == 1


def _computed(v: Value, seen: set[int]) -> bool:
    """Whether a value can be computed. Every one is looked at once."""
    if id(v) in seen:
        return True
    seen.add(id(v))
    if v.lanes > 1 and not _known(v):
        return False
    return all(_computed(p, seen) for p in parts(v) if isinstance(p, Value))


def _known(v: Value) -> bool:
    if v.lanes != LANES:
        return False
    match v.op:
        case "ramp":
            return True
        case "variable" | "const" | "broadcast" | "select":
            return v.dtype in ("int32", *HELD, "bool")
        case "load":
            return v.dtype in HELD
        case "cast":
            return v.dtype == "int32" and v.parts[0].dtype in HELD
        case "extern":
            return v.dtype == "int32" and v.parts[0].startswith("gw_")
        case op if op in ARITHMETIC:
            return v.dtype == "int32"
        case op if op in LOGIC:
            return all(p.dtype in ("int32", "bool") for p in v.parts)
    return False
