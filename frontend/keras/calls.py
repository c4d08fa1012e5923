"""How the layers of a functional model refer to each other's tensors, in the layouts of Keras 2 and 3."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from ...graph import FileError
from ..attributes import Attributes
from .config import Entry
from .registry import Dialect

Key = tuple[str, int]
NOT_A_LAYER = "_CONSTANT_VALUE"
"""What tf-keras writes for the layer of an argument that is a number."""


@dataclass(frozen=True)
class Ref:
    """Output ``tensor`` of call ``key[1]`` of the layer ``key[0]``."""

    key: Key
    tensor: int


@dataclass(frozen=True)
class Call:
    """One call of a layer: positional and named arguments, with a ``Ref`` for each tensor, in any nesting."""

    args: tuple[Any, ...]
    options: Mapping[str, Any]

    @property
    def tensors(self) -> tuple[Ref, ...]:
        """Every tensor that is read."""
        return (*leaves(self.args, Ref), *leaves(self.options, Ref))


T = TypeVar("T")


def leaves(value: Any, kind: type[T]) -> Iterator[T]:
    """Give what is of one type in nested lists and dictionaries, the latter in the order of their keys."""
    if isinstance(value, kind):
        yield value
    elif isinstance(value, Mapping):
        for key in sorted(value, key=str):
            yield from leaves(value[key], kind)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from leaves(item, kind)


def exchanged(value: Any, replace: Callable[[Ref], Any]) -> Any:
    """Give nested arguments with something else for each tensor."""
    if isinstance(value, Ref):
        return replace(value)
    if isinstance(value, Mapping):
        return {key: exchanged(v, replace) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [exchanged(v, replace) for v in value]
    return value


class Calls:
    """All calls in a functional model.

    Calls of nested models may count from 1, because a model's own definition counts as its call 0: tf-keras does so for
    models that begin with an input layer, Keras 3 only where the outputs of the model are listed.
    """

    def __init__(self, entry: Entry, dialect: Dialect) -> None:
        self.entry, self.dialect = entry, dialect
        self.layers = {child.name: child for child in entry.children}
        self.calls: dict[Key, Call] = {
            (child.name, i): self._call(node, child) for child in entry.children for i, node in enumerate(child.inbound)
        }

    def layer(self, name: str) -> Entry:
        """Give the layer of a name."""
        if name not in self.layers:
            raise dangling(name, self.entry)
        return self.layers[name]

    def resolve(self, ref: tuple[str, int, int], output: bool = False) -> Ref:
        """Give the call that a reference means."""
        name, index, tensor = ref
        layer = self.layer(name)
        return Ref((name, index - self._first(layer, output)), tensor)

    def _first(self, layer: Entry, output: bool) -> int:
        if not layer.is_model:
            return 0
        if self.dialect is Dialect.KERAS3:
            return int(output and layer.class_name != "Sequential")
        return int(bool(layer.children) and layer.children[0].class_name == "InputLayer")

    def _call(self, node: Any, layer: Entry) -> Call:
        where = layer.where
        if isinstance(node, Mapping) and "args" in node:
            return self._call_3(node, layer)
        first: list[Any] = []
        options: dict[str, Any] = {}
        for item in legacy_items(_by_input(layer, node), where):
            constant = item[0] == NOT_A_LAYER
            first.append(item[2] if constant else self.resolve(_reference(item[:3], where)))
            if len(item) > 3 and item[3]:
                if not isinstance(item[3], Mapping):
                    raise FileError(f"a call of the form {str(item)[:80]}", where=where, hint="save the model again")
                options.update(item[3])
        single = isinstance(node, list) and bool(node) and (isinstance(node[0], str) or len(first) == 1)
        return Call((first[0] if single else first,), {key: self._legacy(v, layer) for key, v in options.items()})

    def _legacy(self, value: Any, layer: Entry) -> Any:
        """Give an argument of a call in the format of Keras 2, with its tensors resolved."""
        if isinstance(value, list) and len(value) == 3 and value[0] == NOT_A_LAYER:
            return value[2]
        if _is_reference(value):
            return self.resolve(_reference(value, layer.where))
        if isinstance(value, list):
            return [self._legacy(v, layer) for v in value]
        if isinstance(value, Mapping):
            return {key: self._legacy(v, layer) for key, v in value.items()}
        return value

    def _call_3(self, node: Mapping[str, Any], layer: Entry) -> Call:
        where = layer.where
        with Attributes(node, where=where) as call:
            args, kwargs = call.take("args"), call.take("kwargs", {})
        if not isinstance(args, list) or not isinstance(kwargs, Mapping):
            raise FileError("the arguments of a call are no list", where=where, hint="save the model again")
        if layer.is_model:
            kwargs = dict(kwargs)
            args = [_by_input(layer, args[0] if args else kwargs.pop("inputs", None)), *args[1:]]
        return Call(tuple(self._tensors(v, where) for v in args), self._tensors(kwargs, where))

    def _tensors(self, value: Any, where: str) -> Any:
        """Give an argument with a ``Ref`` for each of Keras 3's tensors."""
        if isinstance(value, Mapping) and value.get("class_name") == "__keras_tensor__":
            config = value.get("config")
            history = config.get("keras_history") if isinstance(config, Mapping) else None
            return self.resolve(_reference(history, where))
        if isinstance(value, Mapping):
            return {key: self._tensors(v, where) for key, v in value.items()}
        return [self._tensors(v, where) for v in value] if isinstance(value, list) else value

    def in_order(self, ready: set[Key]) -> Iterator[tuple[Key, Call]]:
        """Give the calls so that each comes after those it reads. Raises FileError for loops and loose ends."""
        readers: dict[Key, list[Key]] = {}
        left: dict[Key, int] = {}
        pending = list(ready)
        for key, call in self.calls.items():
            sources = {r.key for r in call.tensors}
            for source in sources:
                if source not in self.calls and source not in ready:
                    raise dangling(source[0], self.layers[key[0]])
                readers.setdefault(source, []).append(key)
            left[key] = len(sources)
            if not sources:
                raise FileError(
                    "a call that reads nothing", where=self.layers[key[0]].where, hint="save the model again"
                )
        while pending:
            for reader in readers.get(pending.pop(0), ()):
                left[reader] -= 1
                if not left[reader]:
                    pending.append(reader)
                    yield reader, self.calls[reader]
        loop = [key[0] for key, count in left.items() if count]
        if loop:
            what = f"the layers {', '.join(dict.fromkeys(loop))} wait for each other"
            raise FileError(what, where=self.entry.where, hint="save the model again")


def references(value: Any, entry: Entry) -> list[tuple[str, int, int]]:
    """Read ``input_layers`` or ``output_layers``: one reference, or a list or dictionary of them, nested in any way.

    Keras numbers the tensors of a dictionary in the order of its sorted keys.
    """
    if _is_reference(value):
        return [_reference(value, entry.where)]
    items = [value[key] for key in sorted(value)] if isinstance(value, Mapping) else value
    if not isinstance(items, list) or not items:
        raise FileError("the model does not say its inputs and outputs", where=entry.where, hint="save the model again")
    return [ref for item in items for ref in references(item, entry)]


def _is_reference(value: Any) -> bool:
    return (
        isinstance(value, list) and len(value) == 3 and isinstance(value[0], str) and all(_index(v) for v in value[1:])
    )


def _index(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _reference(value: Any, where: str) -> tuple[str, int, int]:
    if not _is_reference(value):
        raise FileError(f"{str(value)[:80]} does not name a tensor", where=where, hint="save the model again")
    return value[0], value[1], value[2]


def _by_input(layer: Entry, value: Any) -> Any:
    """Give what a call passes in the order of the called model's inputs, where a dictionary names these.

    Source: ``_standardize_inputs`` of Keras 3, ``_flatten_to_reference_inputs`` of tf-keras (models/functional.py,
    engine/functional.py); any other dictionary goes by its sorted keys.
    """
    inputs = layer.config.get("input_layers")
    if not isinstance(value, Mapping) or not layer.is_model or inputs is None or isinstance(inputs, Mapping):
        return value
    names = [name for name, *_ in references(inputs, layer)]
    return [value[name] for name in names] if set(names) <= set(value) else value


def legacy_items(node: Any, where: str) -> list[list[Any]]:
    """Give the references ``[layer, call, tensor, options]`` of one call in the format of Keras 2."""
    if isinstance(node, list) and node and isinstance(node[0], str):
        return [node]
    if isinstance(node, Mapping):
        return [i for key in sorted(node) for i in legacy_items(node[key], where)]
    items = node
    if not isinstance(items, list) or not all(isinstance(i, list) for i in items):
        raise FileError(f"a call of the form {str(node)[:80]}", where=where, hint="save the model again")
    return items


def dangling(name: str, entry: Entry) -> FileError:
    """Give the error for a reference to what does not exist."""
    return FileError(f"a tensor of layer {name!r} that does not exist", where=entry.where, hint="save the model again")
