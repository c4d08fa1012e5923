"""From a configuration (JSON or get_config) to a tree of layers: names, classes, attributes, how they are connected."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...graph import FileError, UnsupportedError
from ..attributes import Attributes
from .registry import LAYERS, Dialect

MODELS = ("Sequential", "Functional", "Model")
FRAMEWORKS = ("keras", "tf_keras", "tensorflow", "qkeras", "hgq", "hgq2", "HGQ")
"""Packages whose classes are what their names say."""
QUALIFIED = {"hgq": "hgq", "hgq2": "hgq", "HGQ": "HGQ"}
"""Packages whose classes share names with those of others: their entries are called ``hgq>QDense``."""
APPLICATIONS = {"LayerScale": "convnext", "CustomScaleLayer": "inception_resnet_v2"}
"""Classes of ``keras.applications`` whose names authors use for their own, and the modules that define them."""
WRAPPERS = ("TimeDistributed",)
JOINS = ("Add", "Subtract", "Multiply", "Maximum", "Minimum")
"""Layers and functions of one name: the layers take a list, the functions two arguments."""
ENTRY_KEYS = {
    "module": "read with the layer",
    "registered_name": "read with the layer",
    "build_config": "read for models that have no input layer; else shapes are computed",
    "compile_config": "how to train",
    "shared_object_id": "only tells which objects are one in memory",
    "inbound_nodes": "read with the model that holds the layer",
    "name": "equals the name in the configuration",
}
"""What stands beside the configuration of a layer, and why it is not read there."""


@dataclass(frozen=True, eq=False)
class Entry:
    """One layer (or model) of a configuration. ``path`` is unique in the file; ``children`` are the layers of a model,
    or what a wrapper wraps; ``inbound`` are its calls as the file has them; ``built`` is the shape it was
    built for, if known; entries with the same number ``shared`` were one object in memory. ``own``: the class is not
    of a framework, but of the model's author, who may have called it as one of a framework.
    """

    name: str
    class_name: str
    module: str
    config: Mapping[str, Any]
    path: str
    where: str
    built: Any = None
    shared: Any = None
    inbound: tuple[Any, ...] = ()
    children: tuple["Entry", ...] = field(default=())
    own: bool = False

    @property
    def is_model(self) -> bool:
        """Whether it is a model of its own: its children are its layers."""
        return self.class_name in MODELS

    @property
    def is_function(self) -> bool:
        """Whether it is a function of ``keras.ops``, which may share its name with a layer.

        Files in the format .h5 do not say; their layers have more attributes than functions have.
        """
        if self.module or "trainable" in self.config:
            return ".ops" in self.module and ">" not in self.class_name
        if self.class_name in LAYERS and not (self.class_name in JOINS and all(map(_apart, self.inbound))):
            return False
        return f"ops.{self.class_name}" in LAYERS

    @property
    def kind_name(self) -> str:
        """The name under which the tables have it."""
        return f"ops.{self.class_name}" if self.is_function else self.class_name

    def walk(self) -> Iterator["Entry"]:
        """Give the entry and everything inside."""
        yield self
        for child in self.children:
            yield from child.walk()


def _apart(call: Any) -> bool:
    """Whether a call in the format of Keras 3 has several arguments, not a list of tensors."""
    args = call.get("args") if isinstance(call, Mapping) else None
    return isinstance(args, list) and len(args) == 2


def mapping(value: Any, what: str, where: str) -> Mapping[str, Any]:
    """Give a value that must be an object."""
    if not isinstance(value, Mapping):
        raise FileError(f"{what} is not an object", where=where, hint="save the model again")
    return value


def sequence(value: Any, what: str, where: str) -> list[Any]:
    """Give a value that must be a list."""
    if not isinstance(value, list):
        raise FileError(f"{what} is not a list", where=where, hint="save the model again")
    return value


def parse(data: Mapping[str, Any], where: str, prefix: str = "", depth: int = 0) -> Entry:
    """Read one layer or model with everything inside. Raises FileError where the form is not that of Keras."""
    class_name, raw = data.get("class_name"), data.get("config")
    if not isinstance(class_name, str):
        raise FileError("a layer has no class_name", where=where, hint="save the model again")
    if isinstance(raw, list) and class_name == "Sequential":
        raw = {"layers": raw}  # Keras before 2.2.3
    config = mapping(raw, f"the configuration of a {class_name}", where)
    name = config.get("name", data.get("name", class_name.lower()))
    if not isinstance(name, str) or not name:
        raise FileError(f"the name of a {class_name} is {name!r}", where=where, hint="save the model again")
    path = f"{prefix}{name}"
    here = f"{where}: {path} ({class_name})"
    if depth:
        _check_entry(data, here)
    module, build = str(data.get("module") or ""), data.get("build_config")
    registered = str(data.get("registered_name") or "")
    own = _is_own(class_name, registered, module)
    class_name = _qualified(class_name, registered, module)
    children = _children(class_name, config, where, f"{path}/" if depth else "", depth)
    inbound = sequence(data.get("inbound_nodes") or [], "inbound_nodes", here)
    built = build.get("input_shape") if isinstance(build, Mapping) else None
    shared = data.get("shared_object_id")
    return Entry(name, class_name, module, config, path, here, built, shared, tuple(inbound), children, own)


def _is_own(class_name: str, registered: str, module: str) -> bool:
    """Whether a class is not of a framework: Keras registers only others, as ``package>name``."""
    package = (registered or class_name).rpartition(">")[0]
    return bool(registered or package) and not {module.partition(".")[0], package} & set(FRAMEWORKS)


def _qualified(class_name: str, registered: str, module: str) -> str:
    """Give the name of a class without its package, unless that tells classes of one name apart."""
    if module in [f"{k}.src.applications.{APPLICATIONS.get(class_name)}" for k in ("keras", "tf_keras")]:
        return f"keras.applications>{class_name}"
    package, _, name = (class_name if ">" in class_name else registered or class_name).rpartition(">")
    name = name or class_name
    return f"{QUALIFIED[package]}>{name}" if package in QUALIFIED else class_name.rpartition(">")[2]


def _check_entry(data: Mapping[str, Any], where: str) -> None:
    with Attributes(data, where=where) as entry:
        entry.ignore("class_name", "config", why="read by the caller")
        entry.ignore_all(ENTRY_KEYS)


def _children(class_name: str, config: Mapping[str, Any], where: str, prefix: str, depth: int) -> tuple[Entry, ...]:
    if class_name in MODELS:
        layers = sequence(config.get("layers"), f"layers of {prefix or 'the model'}", where)
    elif class_name in WRAPPERS:
        layers = [config.get("layer")]
    else:
        return ()
    entries = tuple(parse(mapping(v, "a layer", where), where, prefix, depth + 1) for v in layers)
    names = [e.name for e in entries]
    if len(set(names)) != len(names):
        twice = next(n for n in names if names.count(n) > 1)
        raise FileError(f"two layers are called {twice!r}", where=where, hint="give every layer a name of its own")
    return entries


def dialect_of(root: Entry, version: object) -> Dialect:
    """Tell whose definitions hold: by the version that the file names, else by forms that only one of them writes."""
    if isinstance(version, str) and (major := version.partition(".")[0]) in ("1", "2", "3"):
        return Dialect.KERAS3 if major == "3" else Dialect.TF_KERAS
    for entry in root.walk():
        if entry.module.startswith("tf_keras") or "batch_input_shape" in entry.config:
            return Dialect.TF_KERAS
        if "batch_shape" in entry.config or isinstance(entry.config.get("dtype"), Mapping):
            return Dialect.KERAS3
    raise UnsupportedError(
        "neither the version of Keras nor the shape of the input is in the file", where=root.where, hint="save it again"
    )
