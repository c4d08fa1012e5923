"""Keras files and live objects, of Keras 3, tf-keras 2 and QKeras: read as data, without any framework."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...graph import FileError, GatewrightError, Graph, UnsupportedError
from ..attributes import raise_all
from .archive import Store, check_depth, guarded, open_store, parse_json, plain, read_bytes, read_member
from .assemble import assemble, check_model, unknown
from .config import Entry, dialect_of, mapping, parse
from .registry import Dialect, Parameter
from .weights import own_functions, read_live, read_store

__all__ = ["from_object", "load_file"]


def load_file(path: Path, weights: Path | None = None) -> Graph:
    """Import ``.keras``, ``.h5`` (a whole model) or ``.json`` with ``weights``, a ``.h5`` file.

    Raises FileError for missing, damaged and unsafe files, UnsupportedError and ShapeError for what cannot be imported.
    """
    where = str(path)
    if path.suffix.lower() == ".json":
        return _load_json(path, weights)
    if weights is not None:
        raise UnsupportedError("weights= goes with a .json file", where=where, hint="this file has its own weights")
    if path.suffix.lower() == ".keras":
        return _load_archive(path)
    with open_store(path, where) as store:
        text = store.attribute("", "model_config")
        if text is None:
            hint = "save the whole model (model.save), or give the .json with this file as its weights"
            raise FileError("weights only, without the model they belong to", where=where, hint=hint)
        root = _root(parse_json(_text(text, where), where), where)
        dialect = dialect_of(root, store.attribute("", "keras_version"))
        return _assembled(root, store, dialect, where)


def _assembled(root: Entry, store: Store, dialect: Dialect, where: str) -> Graph:
    """Read the weights and assemble; where they cannot be read, the layers are looked at all the same."""
    rules = _rules(root)
    try:
        arrays = read_store(root, store)
    except GatewrightError as error:
        problems = [] if unknown(root) else [error]  # whose it is is not known then
        return assemble(root, None, dialect, where, problems, rules)
    return assemble(root, arrays, dialect, where, parameters=rules)


def _rules(root: Entry) -> Mapping[str, Parameter]:
    """Give the rules for the weights of plain layers, where the model is one of HGQ's proxies."""
    from ..hgq import exact_weights

    return exact_weights({entry.class_name for entry in root.walk()})


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise FileError("model_config is not text", where=where, hint="save the model again")
    return value


def _root(data: Mapping[str, Any], where: str) -> Entry:
    _register_others()
    root = parse(mapping(plain(data), "the model", where), where)
    check_model(root)
    return root


def _register_others() -> None:
    """Fill the tables with the layers that are defined outside of this folder."""
    from importlib.util import find_spec

    if find_spec("..qkeras", __package__) is not None:
        from .. import qkeras  # noqa: F401
    if find_spec("..hgq", __package__) is not None:
        from .. import hgq  # noqa: F401


def _load_json(path: Path, weights: Path | None) -> Graph:
    where = str(path)
    data = parse_json(read_bytes(path), where)
    root = _root(data, where)
    if weights is None:
        hint = "give the .h5 file that goes with it: weights=, or the second argument of a command"
        missing = FileError("a configuration without weights", where=where, hint=hint)
        return assemble(root, None, dialect_of(root, data.get("keras_version")), where, [missing])
    with open_store(weights, str(weights)) as store:
        version = data.get("keras_version") or _version(store)
        return _assembled(root, store, dialect_of(root, version), where)


def _version(store: Store) -> Any:
    return store.attribute("", "keras_version") or store.attribute("model_weights", "keras_version")


def _load_archive(path: Path) -> Graph:
    where = str(path)
    config, metadata, weights = (read_member(path, n) for n in ("config.json", "metadata.json", "model.weights.h5"))
    if config is None or weights is None:
        missing = "config.json" if config is None else "model.weights.h5"
        raise FileError(f"no {missing} inside", where=where, hint="save the model with model.save('name.keras')")
    root = _root(parse_json(config, where), where)
    version = parse_json(metadata, where).get("keras_version") if metadata is not None else None
    with open_store(weights, where) as store:
        return _assembled(root, store, dialect_of(root, version), where)


def from_object(model: Any) -> Graph:
    """Import a live model of Keras 3, tf-keras or QKeras through its get_config and get_weights."""
    packages = {cls.__module__.partition(".")[0] for cls in type(model).__mro__}
    model = _proxied(model)
    where = f"{type(model).__name__} {getattr(model, 'name', '')!r}"
    if not hasattr(model, "layers") or not hasattr(model, "get_config"):
        raise UnsupportedError("a layer, not a model", where=where, hint="put it into a Sequential")
    try:
        config = plain(model.get_config())
    except NotImplementedError:
        config = {}
    if not isinstance(config, dict) or "layers" not in config:
        hint = "build it with the functional interface, or export it to ONNX"
        raise UnsupportedError("a subclassed model has no configuration", where=where, hint=hint)
    check_depth(config, where)
    config = _completed(config, model)
    kind = next((c.__name__ for c in type(model).__mro__ if c.__name__ in ("Sequential", "Functional")), "Model")
    root = _root({"class_name": kind, "config": config, "build_config": _built(model)}, where)
    raise_all([*own_functions(root, model), *_unsaved(model)])
    with guarded(where):
        arrays = read_live(root, model)
    dialect = Dialect.TF_KERAS if "tf_keras" in packages or _is_keras_2() else Dialect.KERAS3
    return assemble(root, arrays, dialect, where, parameters=_rules(root))


def _completed(config: Any, model: Any) -> Any:
    """Add what the quantizers of a live QKeras model have in memory and leave out of their configuration."""
    if not isinstance(config, Mapping) or "qkeras" not in sys.modules:
        return config
    from ..qkeras import completed

    return completed(config, model)


def _is_keras_2() -> bool:
    """Whether the package called keras is Keras 2, as it was before it became tf-keras."""
    return str(getattr(sys.modules.get("keras"), "__version__", "3")).startswith("2")


def _proxied(model: Any) -> Any:
    """Give the proxy of a live model of the first HGQ."""
    if "HGQ" not in sys.modules:
        return model
    from ..hgq import proxy_of

    return proxy_of(model)


def _unsaved(model: Any) -> Iterator[GatewrightError]:
    """Give an error for each quantizer of HGQ2 that is not as its configuration says."""
    if "hgq" in sys.modules:
        from ..hgq import differences

        yield from differences(model)


def _built(model: Any) -> dict[str, Any]:
    """Give the shape of the input of a model that has no input layer."""
    shape = getattr(model, "input_shape", None) if getattr(model, "built", False) else None
    return {"input_shape": list(shape)} if isinstance(shape, tuple) and len(shape) > 1 else {}
