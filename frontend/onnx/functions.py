"""Operators that ONNX defines as functions of others: the definition itself is imported in their place."""

from typing import Any

from .values import Absent, Coded, Flow, Known, Many, Moved, Value


def definition(proto: Any, opset: int, inputs: list[Value | None], lead: int) -> Any | None:
    """Give the ``FunctionProto`` that an operator is defined as, for inputs of these types; None where it has none."""
    import onnx

    schema = onnx.defs.get_schema(proto.op_type, opset, "")
    if not (schema.has_function or schema.has_context_dependent_function):
        return None
    function = onnx.FunctionProto()
    if schema.has_context_dependent_function:
        types = [_type(value, lead).SerializeToString() for value in inputs]
        try:
            data = schema.get_context_dependent_function(proto.SerializeToString(), types)
        except Exception:  # the builders raise whatever C++ raises, for shapes that they do not know
            return None
        function.ParseFromString(data)
    else:
        function.CopyFrom(schema.function_body)
    return function if function.node else None


def _type(value: Value | None, lead: int) -> Any:
    """Give the type of a tensor for the definition: the batch stays open."""
    import onnx

    if value is None or isinstance(value, Absent | Many):
        return onnx.TypeProto()
    if isinstance(value, Known):
        array = value.variants[0]
        kind = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
        return onnx.helper.make_tensor_type_proto(kind, array.shape)
    shape: list[int | str] = list(value.node.shape)
    own = value.axis if isinstance(value, Moved) else 0 if value.lead else None
    if own is not None:
        shape.insert(own, "batch")
    return onnx.helper.make_tensor_type_proto(_number(value), shape)


def _number(value: Flow | Coded | Moved) -> int:
    import onnx

    name = value.dtype if isinstance(value, Coded) else value.type
    spelled = {"float32": "FLOAT", "float64": "DOUBLE"}.get(name, name.upper())
    return int(onnx.TensorProto.DataType.Value(spelled))


def as_graph(function: Any, proto: Any, opset: int) -> Any:
    """Give the definition as a graph, with the operator's own attributes, or their defaults, in it."""
    import onnx

    schema = onnx.defs.get_schema(proto.op_type, opset, "")
    given = {a.name: a for a in proto.attribute}
    defaults = {k: a.default_value for k, a in schema.attributes.items() if a.default_value.type}
    graph = onnx.GraphProto(name=proto.op_type)
    for node in function.node:
        copy = graph.node.add()
        copy.CopyFrom(node)
        del copy.attribute[:]
        for attribute in node.attribute:
            source = attribute
            if attribute.ref_attr_name:
                found = given.get(attribute.ref_attr_name, defaults.get(attribute.ref_attr_name))
                if found is None:
                    continue  # left out in both
                source = found
            new = copy.attribute.add()
            new.CopyFrom(source)
            new.name = attribute.name
    made = {name for node in graph.node for name in node.output}
    for name in function.output:
        if name in made:
            graph.output.add().name = name
    return graph


def opset_of_function(function: Any, opset: int) -> int:
    """Give the version of ONNX's operators that a definition is written in."""
    versions = [o.version for o in function.opset_import if o.domain in ("", "ai.onnx")]
    return int(versions[0]) if versions else opset


def onnx_attributes(proto: Any, opset: int) -> list[str]:
    """Name the attributes that an operator has by its definition."""
    import onnx

    return list(onnx.defs.get_schema(proto.op_type, opset, "").attributes)
