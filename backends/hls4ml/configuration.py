"""The configuration structure of a kernel, in C++."""

from ...graph import Fixed
from .kernel import Kernel


def config_text(
    kernel: Kernel, index: int, sizes: tuple[list[int], int], reuse_factor: int | str, types: dict[str, str]
) -> str:
    """Give the C++ configuration structure of a kernel.

    ``sizes``: elements of the inputs and of the output. ``types``: how C++ spells the type of each constant.
    """
    rows = [f"static const unsigned n_in{i} = {n};" for i, n in enumerate(sizes[0])]
    rows += [f"static const unsigned n_out = {sizes[1]};", f"static const unsigned reuse_factor = {reuse_factor};"]
    for name, numbers in kernel.constants.items():
        rows += [f"typedef {types[name]} {name}_t;", f"static const unsigned n_{name} = {numbers.values.data.size};"]
    rows += [_member(name, value) for name, value in kernel.config.items()]
    return f"struct config{index} {{\n" + "".join(f"    {row}\n" for row in rows) + "};\n"


def _member(name: str, value: "int | bool | str | Fixed") -> str:
    match value:
        case bool():
            return f"static const bool {name} = {str(value).lower()};"
        case int():
            return f"static const long long {name} = {value}LL;"
        case str():
            return f"typedef {value} {name};"
    return f"typedef {spelled_type(value)} {name};"


def spelled_type(format: Fixed) -> str:
    """Write the type that carries numbers of a format."""
    return f"{'ap_fixed' if format.signed else 'ap_ufixed'}<{format.width},{format.integer}>"
