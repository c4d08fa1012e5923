"""Our one layer class in hls4ml, made through its extension API: it serves every kernel.

Registered when first needed; hls4ml itself is imported here and nowhere before.
"""

from functools import cache
from typing import Any

from .configuration import config_text
from .kernel import Kernel
from .layers import HlsType

KIND = "GatewrightKernel"


def precision(type: HlsType) -> Any:
    """Give hls4ml's object for a type."""
    from hls4ml.model.types import FixedPrecisionType

    return FixedPrecisionType(type.width, type.integer, type.signed, str(type.rounding), str(type.overflow))


@cache
def register(backend: str) -> None:
    """Make our layer known to hls4ml and to one of its back ends, once a process."""
    from hls4ml.backends import get_backend

    _layer_class()
    for template in _templates():
        get_backend(backend).register_template(template)


@cache
def _layer_class() -> Any:
    import numpy as np
    from hls4ml.model.layers import Layer, register_layer

    class GatewrightKernel(Layer):  # type: ignore[misc]
        """One call of a kernel: several inputs, one output (or several copies of it), constants as weights."""

        def initialize(self) -> None:
            shape, type = self.get_attr("gw_shape"), self.get_attr("gw_type")
            for i, name in enumerate(self.outputs):
                suffix = f"_{i}" if len(self.outputs) > 1 else ""
                self.add_output_variable(
                    list(shape), out_name=name, var_name=f"layer{{index}}{suffix}_out", precision=precision(type)
                )
                self.get_output_variable(name).type = self.get_output_variable(self.outputs[0]).type
            for name, numbers in self.get_attr("gw_kernel").constants.items():
                kind = HlsType(numbers.format)
                reals = np.ldexp(numbers.values.data.astype(np.float64).ravel(), -kind.fraction)
                self.add_weights_variable(
                    name=name, var_name=f"{name}{{index}}", type_name=f"{name}{{index}}_t",
                    precision=precision(kind), data=reals,
                )  # fmt: skip

    register_layer(KIND, GatewrightKernel)
    return GatewrightKernel


@cache
def _templates() -> tuple[Any, Any]:
    from hls4ml.backends.template import FunctionCallTemplate, LayerConfigTemplate

    class KernelConfig(LayerConfigTemplate):  # type: ignore[misc]
        """The configuration structure."""

        def __init__(self) -> None:
            super().__init__(_layer_class())

        def format(self, node: Any) -> str:
            kernel: Kernel = node.get_attr("gw_kernel")
            sizes = [node.get_input_variable(name).size() for name in node.inputs]
            types = {name: node.weights[name].type.name for name in kernel.constants}
            own = (sizes, node.get_output_variable().size())
            return config_text(kernel, node.index, own, node.get_attr("reuse_factor", 1), types)

    class KernelCall(FunctionCallTemplate):  # type: ignore[misc]
        """The call, and the header that it needs."""

        def __init__(self) -> None:
            super().__init__(_layer_class())

        def format(self, node: Any) -> str:
            kernel: Kernel = node.get_attr("gw_kernel")
            node.set_attr("include_header", [f"gatewright/{kernel.header}"])
            inputs = [node.get_input_variable(name) for name in node.inputs]
            outputs = [node.get_output_variable(name) for name in node.outputs]
            types = [v.type.name for v in (*inputs, outputs[0])]
            values = [*(v.name for v in (*inputs, *outputs)), *(node.weights[name].name for name in kernel.constants)]
            return f"gw::{kernel.function}<{', '.join([*types, f'config{node.index}'])}>({', '.join(values)});"

    return KernelConfig, KernelCall
