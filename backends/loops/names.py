"""Names that C gives to a network and to what it is made of, and what the numbers at its surface mean."""

import re
import sys
from collections.abc import Sequence
from keyword import kwlist

from ...graph import Affine, Fixed, Graph, Node
from ...graph.formats import FLOAT
from .program import Call, Loop, Statement

C_TYPES = {
    "int8": "int8_t", "uint8": "uint8_t", "int16": "int16_t", "uint16": "uint16_t", "int32": "int32_t",
    "uint32": "uint32_t", "int64": "int64_t", "uint64": "uint64_t", "float32": "float", "float16": "uint16_t",
    "bfloat16": "uint16_t",
}  # fmt: skip
KEYWORDS = {
    "auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum", "extern", "float",
    "for", "goto", "if", "inline", "int", "long", "register", "restrict", "return", "short", "signed", "sizeof",
    "static", "struct", "switch", "typedef", "union", "unsigned", "void", "volatile", "while", "main", "class", "new",
}  # fmt: skip
HEADERS = {
    "assert", "complex", "ctype", "errno", "fenv", "inttypes", "limits", "locale", "math", "setjmp", "signal", "stdarg",
    "stdbool", "stddef", "stdint", "stdio", "stdlib", "string", "tgmath", "threads", "time", "wchar", "wctype",
    "numpy", "gatewright", "pip", "setuptools",
}  # fmt: skip
LIBRARIES = {"c", "m", "dl", "rt", "pthread", "util", "gcc", "gcc_s", "gcc_eh", "stdc", "clang", "system"}
"""What linkers look for by themselves, or programs ask for: -lNAME."""
OWN = {"arm", "amx", "kernels", "constants", "math", "gw"}
"""Files that stand beside a network's own, NAME.c, NAME.h and NAME.o; so does what begins with ``gw_``."""
TAKEN = KEYWORDS | HEADERS | LIBRARIES | OWN | set(kwlist) | set(sys.stdlib_module_names)
"""What neither a C name nor a header, a library nor a Python module may be called."""


def library_name(graph: Graph) -> str:
    """Give the prefix of every C name: the model's, as an identifier of lower case letters."""
    name = re.sub(r"\W+", "_", graph.name, flags=re.ASCII).strip("_").lower() or "model"
    taken = name in TAKEN or name.startswith("gw_") or name[0].isdigit()
    return f"net_{name}"[:48] if taken else name[:48]


def meaning(node: Node) -> str:
    """Say what the numbers of a port mean."""
    format = node.type.format
    match format:
        case Fixed() if isinstance(format.fraction, int):
            return f"value = q * 2^{-format.fraction}"
        case Affine() if not hasattr(format.scale, "data") and isinstance(format.zero_point, int):
            return f"value = (q - {format.zero_point}) * {float(format.scale):.9g}"
        case Fixed() | Affine():
            return f"{format}"
    return "real numbers" if format == FLOAT else f"the bits of {format}"


def walk(statements: Sequence[Statement]) -> list[Call]:
    """List the calls, those in loops once."""
    found: list[Call] = []
    for s in statements:
        match s:
            case Call():
                found.append(s)
            case Loop():
                found += walk(s.body)
    return found
