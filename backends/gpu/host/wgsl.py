"""WGSL, as TVM's code generator writes it, as C++: bindings become parameters, declarations turn around, all else has
the same spelling in both (types are functions in both, and the emulator's header has WGSL's own functions).
"""

import re

BINDING = re.compile(
    r"@group\(\d+\)\s*@binding\((\d+)\)\s*var<storage,\s*(read|read_write)>\s*(\w+)\s*:\s*array<(.+)>;"
)
WORKGROUP = re.compile(r"var<workgroup>\s*(\w+)\s*:\s*array<(.+),\s*(\w+)>;")
ENTRY = re.compile(r"@compute\s*@workgroup_size\([^)]*\)\s*fn\s+(\w+)\s*\(([^{]*)\)\s*{")
BUILTINS = {"workgroup_id": "block_index", "local_invocation_id": "thread_index", "num_workgroups": "blocks"}
RULES = tuple(
    (re.compile(pattern), result)
    for pattern, result in (
        (r"\bvar\s+(\w+)\s*:\s*array<(.+?),\s*(\w+)>\s*;", r"\2 \1[\3];"),
        (r"\bvar\s+(\w+)\s*:\s*([\w<>]+)", r"\2 \1"),
        (r"\b(?:let|const)\s+(\w+)\s*:\s*([\w<>]+)", r"const \2 \1"),
        (r"\bvar\s+(\w+)\s*=", r"auto \1 ="),
        (r"\b(?:let)\s+(\w+)\s*=", r"const auto \1 ="),
        (r"\bvec([24])<(\w+)>\(", r"make\1<\2>("),
        (r"\bloop\s*{", "for (;;) {"),
        (r"-2147483648(?![\d.])i?", "(-2147483647 - 1)"),
        (r"\b(\d+|0x[0-9a-fA-F]+)i\b", r"\1"),
    )
)


def translate(text: str, entries: list[str], room: str) -> str:
    """Give the C++ of a file of kernels, which begin with ``room``. Raises ValueError where one is missing."""
    text = re.sub(r"//.*", "", text)
    bound = sorted((int(number), access, name, kind) for number, access, name, kind in BINDING.findall(text))
    parameters = ", ".join(f"{'const ' if access == 'read' else ''}{kind} *{name}" for _, access, name, kind in bound)
    room += "".join(f" GATEWRIGHT_SHARED({kind}, {name}, {size})" for name, kind, size in WORKGROUP.findall(text))
    text = WORKGROUP.sub("", BINDING.sub("", text))
    found = {m.group(1) for m in ENTRY.finditer(text)}
    if missing := [e for e in entries if e not in found]:
        raise ValueError(f"no kernel {missing[0]} in the source")

    def head(match: re.Match[str]) -> str:
        named = re.findall(r"@builtin\((\w+)\)\s*(\w+)\s*:", match.group(2))
        indices = "".join(f" const gatewright::Index {name} = gatewright::{BUILTINS[word]};" for word, name in named)
        return f"static void {match.group(1)}({parameters}) {{{indices}{room}"

    text = re.sub(r"\bfn\s+(\w+)\s*\(([^)]*)\)\s*->\s*([\w<>]+)", _function, ENTRY.sub(head, text))
    for pattern, result in RULES:
        text = pattern.sub(result, text)
    return text


def _function(match: re.Match[str]) -> str:
    """A function that kernels call."""
    parameters = re.sub(r"(\w+)\s*:\s*([\w<>]+)", r"\2 \1", match.group(2))
    return f"static inline {match.group(3)} {match.group(1)}({parameters})"


__all__ = ["translate"]
