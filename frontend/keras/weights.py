"""Which stored array is which weight of which layer, for the layouts of Keras files and for live objects."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ...graph import FileError, GatewrightError, NDArray, ShapeError, UnsupportedError
from ..attributes import raise_all
from .archive import Store, damaged
from .config import FRAMEWORKS, Entry
from .registry import ACTIVATIONS, LAYERS, Weight

Arrays = Mapping[Entry, Mapping[str, NDArray]]
"""The named weights of each layer that has some."""

OWN_NAMES = ("binary_tanh",)
"""Activations that no framework has: each author defines the same function."""
NOT_WEIGHTS = ("optimizer", "seed_generator", "_metrics", "metrics", "optimizer_weights")
"""Groups beside the weights: the state of training and of random generators."""


def stored(entry: Entry) -> tuple[Weight, ...]:
    """The weights that a layer must have; none for classes that cannot be imported (refused elsewhere)."""
    kind = LAYERS.get(entry.kind_name)
    return kind.stored(entry.config) if kind else ()


def read_store(root: Entry, store: Store) -> Arrays:
    """Read all weights of a model from an HDF5 file of either layout. Raises FileError, ShapeError."""
    for group in ("model_weights", ""):
        if store.strings(group, "layer_names") is not None:
            return read_legacy(root, store, group)
    return read_paths(root, store)


def read_legacy(root: Entry, store: Store, group: str) -> Arrays:
    """Read the layout of Keras 1 and 2: a group per layer, its arrays in the order of ``weight_names``.

    A nested model has one group for all its layers: trainable weights first, in the order of the layers, then others.
    """
    errors: list[GatewrightError] = []
    result: dict[Entry, dict[str, NDArray]] = {}
    by_name = {entry.name: entry for entry in root.children}
    for name in store.strings(group, "layer_names") or []:
        names = store.strings(f"{group}/{name}", "weight_names") or []
        if names and name not in by_name:
            errors.append(_stranger(store, name))
        elif names and any(leaf.class_name.startswith("hgq>") for leaf in by_name[name].walk()):
            errors.append(_nameless(by_name[name]))
        elif names:
            try:
                _distribute(
                    by_name[name], names, [store.array(f"{group}/{name}/{n}") for n in names], store.where, result
                )
            except GatewrightError as error:
                errors.append(error)
    raise_all(errors)
    _check_complete(root, result)
    return result


def _stranger(store: Store, name: str) -> FileError:
    hint = "give the weights that were saved with this configuration"
    return FileError(f"weights of a layer {name!r} that the configuration does not have", where=store.where, hint=hint)


def _nameless(entry: Entry) -> UnsupportedError:
    """Layers of HGQ2 hold many arrays of one name; the newer layout tells them apart."""
    return UnsupportedError("weights of HGQ2 in the older file layout", where=entry.where, hint="save it as .keras")


def slots(entry: Entry, frozen: bool = False) -> Iterator[tuple[Entry, Weight, bool]]:
    """Give each weight inside an entry, in order, and whether the framework counts it as trainable."""
    frozen = frozen or entry.config.get("trainable") is False
    if entry.children:
        for child in entry.children:
            yield from slots(child, frozen)
    else:
        for weight in stored(entry):
            yield entry, weight, weight.trainable and not frozen


def _distribute(
    entry: Entry, names: Sequence[str], arrays: Sequence[NDArray], where: str, result: dict[Entry, dict[str, NDArray]]
) -> None:
    """Give the arrays of one group to the layers inside ``entry``."""
    if any(e.kind_name not in LAYERS for e in entry.walk() if not e.children):
        return  # refused by name elsewhere; which arrays are whose is not known
    wanted = sorted(slots(entry), key=lambda slot: not slot[2])
    if len(wanted) != len(arrays):
        raise ShapeError(
            f"the file has {len(arrays)} weights ({', '.join(names)}), the layer needs {len(wanted)}",
            where=entry.where,
            hint="configuration and weights are of different models",
        )
    leaves = [re.sub(r":\d+$", "", name).rpartition("/")[2] for name in names]
    if not entry.children and sorted(leaves) == sorted({w.name for _, w, _ in wanted}):
        result[entry] = dict(zip(leaves, arrays, strict=True))
        return
    for (owner, weight, _), leaf, array in zip(wanted, leaves, arrays, strict=True):
        if leaf != weight.leaf and leaf in {w.leaf for _, w, _ in wanted}:
            raise damaged(where, f"{entry.path}: found {leaf} where {weight.leaf} of {owner.path} belongs")
        result.setdefault(owner, {})[weight.name] = array


def read_paths(root: Entry, store: Store) -> Arrays:
    """Read the layout of Keras 3 and the .keras files of tf-keras: groups by class name, arrays by number."""
    top = next((t for t in ("layers", "_layer_checkpoint_dependencies") if store.names(t)), "")
    result: dict[Entry, dict[str, NDArray]] = {}
    used: set[str] = set()
    errors: list[GatewrightError] = []
    twins = _twins(root)
    for entry, path in _paths(root, "", top or "layers"):
        wanted = stored(entry)
        if entry.kind_name not in LAYERS:
            used.add(path)
            continue
        found = {group: _numbers(store, path, group) for group in ("", *(w.group for w in wanted))}
        if entry.class_name == "SpectralNormalization" and len(found[""]) == 2:
            del found[""][0]  # Keras 3 stores the kernel of the layer inside here, too
        used.update(_variables(path, group) for group in found)
        count = sum(map(len, found.values()))
        if not count and entry in twins:
            continue
        if any(len(found[group]) != sum(w.group == group for w in wanted) for group in found):
            what = f"the file has {count} weights at {path}, the layer needs {len(wanted)}"
            hint = "configuration and weights are of different models"
            if not count:
                hint += "; or the layer is shared between models, which only .h5 files tell: save it as .h5"
            errors.append(ShapeError(what, where=entry.where, hint=hint))
        elif count:
            names = ((w, f"{_variables(path, w.group)}/{found[w.group].pop(0)}") for w in wanted)
            result[entry] = {w.name: store.array(name) for w, name in names}
    raise_all(errors or (_stranger(store, path) for path in _unused(store, used)))
    for entry in twins:
        owner = next((twin for twin in twins[entry] if twin in result), None)
        if entry not in result and owner is not None:
            result[entry] = result[owner]
    _check_complete(root, result)
    return result


def _twins(root: Entry) -> dict[Entry, list[Entry]]:
    """For each layer that was one object with others: those others. Its weights are stored only once."""
    groups: dict[Any, list[Entry]] = {}
    for entry in root.walk():
        if isinstance(entry.shared, int):
            groups.setdefault((entry.shared, entry.class_name), []).append(entry)
    result: dict[Entry, list[Entry]] = {}
    for group in groups.values():
        for same in zip(*(entry.walk() for entry in group), strict=False):
            for leaf in same if len(group) > 1 else ():
                result.setdefault(leaf, []).extend(twin for twin in same if twin.class_name == leaf.class_name)
    return result


def _variables(path: str, group: str) -> str:
    """Name the group that holds the arrays of a layer, or those of the layer inside that it calls ``group``."""
    return f"{path}/{group}/vars" if group else f"{path}/vars"


def _numbers(store: Store, path: str, group: str) -> list[str]:
    """Give the names of the arrays there, which are numbers, in order."""
    return sorted((n for n in store.names(_variables(path, group)) if n.isdigit()), key=int)


def _paths(entry: Entry, path: str, top: str) -> Iterator[tuple[Entry, str]]:
    """Give each leaf and its group. Names count per class: ``dense``, ``dense_1``, ..."""
    if entry.is_model:
        counts: Counter[str] = Counter()
        for child in (c for c in entry.children if not c.is_function):
            base = "functional" if child.class_name == "Model" else snake_case(child.class_name.rpartition(">")[2])
            number, counts[base] = counts[base], counts[base] + 1
            yield from _paths(child, f"{path}{top}/{base}_{number}/" if number else f"{path}{top}/{base}/", "layers")
    elif entry.children:
        yield from _paths(entry.children[0], f"{path}layer/", "layers")
    else:
        yield entry, path.rstrip("/")


def snake_case(name: str) -> str:
    """Write a class name as the files do: ``SeparableConv1D`` is ``separable_conv1d``."""
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _unused(store: Store, used: set[str]) -> Iterator[str]:
    """Give the groups with numbers that belong to no layer of the configuration; each object is looked at once."""
    seen: set[Any] = set()
    pending = [""]
    while pending:
        path = pending.pop()
        for name in store.names(path):
            here = f"{path}/{name}" if path else name
            if name in NOT_WEIGHTS or here in used:
                continue
            if (identity := store.identity(here)) in seen:
                continue
            seen.add(identity)
            if store.is_dataset(here):
                yield path
                break
            pending.append(here)


def live_layers(root: Entry, model: Any) -> Iterator[tuple[Entry, Any]]:
    """Give each layer of a live model that is no model or wrapper itself."""
    pairs = [(root, model)]
    while pairs:
        entry, thing = pairs.pop()
        if entry.is_model:
            layers = {layer.name: layer for layer in thing.layers}
            pairs += [(child, layers[child.name]) for child in entry.children if child.name in layers]
        elif entry.children:
            pairs.append((entry.children[0], thing.layer))
        else:
            yield entry, thing


def own_functions(root: Entry, model: Any) -> Iterator[UnsupportedError]:
    """Give an error for each activation of the author's own with the name of one of Keras, which files cannot tell."""
    for entry, thing in live_layers(root, model):
        function, name = getattr(thing, "activation", None), entry.config.get("activation")
        package = (getattr(function, "__module__", None) or "").partition(".")[0]
        if isinstance(name, str) and name in ACTIVATIONS and package not in ("", *FRAMEWORKS) and name not in OWN_NAMES:
            what = f"the activation {name!r} is a function of {function.__module__}, not of Keras"
            yield UnsupportedError(what, where=entry.where, hint="write it with layers")


def read_live(root: Entry, model: Any) -> Arrays:
    """Read the weights of a live model through ``get_weights`` of its layers."""
    result: dict[Entry, dict[str, NDArray]] = {}
    for entry, thing in live_layers(root, model):
        if wanted := stored(entry):
            ours = entry.class_name.startswith("hgq>")
            arrays = _live_arrays(thing, wanted) if ours else [np.asarray(a) for a in thing.get_weights()]
            if len(arrays) != len(wanted):
                what = f"the layer has {len(arrays)} weights, {len(wanted)} are expected"
                raise ShapeError(what, where=entry.where, hint="build the model (call it once) before importing it")
            order = wanted if ours else _in_order(thing, wanted)
            result[entry] = {w.name: _real(a) for w, a in zip(order, arrays, strict=True)}
    return result


def _live_arrays(thing: Any, wanted: Sequence[Weight]) -> list[NDArray]:
    """Give the arrays of a live layer in the order of ``wanted``; those in groups are of the layers inside of it."""
    left = {group: _variables_of(thing, group) for group in {w.group for w in wanted}}
    arrays = [np.asarray(left[w.group].pop(0)) for w in wanted if left[w.group]]
    return arrays if not any(left.values()) else []


def _variables_of(thing: Any, group: str) -> list[Any]:
    """Give the variables of the layer inside that ``group`` names by its attributes, in the order of files."""
    for part in group.split("/") if group else ():
        name, _, number = part.rpartition("_")
        if hasattr(thing, part):
            thing = getattr(thing, part)
        elif isinstance(thing, (list, tuple)):
            thing = thing[int(number) if name and number.isdigit() else 0]
    return [*getattr(thing, "_trainable_variables", ()), *getattr(thing, "_non_trainable_variables", ())]


def _in_order(thing: Any, wanted: Sequence[Weight]) -> Sequence[Weight]:
    """Give the weights in the order in which a live layer has them, where their names tell."""
    leaves = [
        re.sub(r":\d+$", "", str(getattr(v, "name", ""))).rpartition("/")[2] for v in getattr(thing, "weights", ())
    ]
    by_leaf = {w.leaf: w for w in wanted}
    if len(by_leaf) == len(wanted) and sorted(leaves) == sorted(by_leaf):
        return [by_leaf[leaf] for leaf in leaves]
    return wanted


def _real(array: NDArray) -> NDArray:
    return array.astype(np.float32) if array.dtype.kind not in "iub" else array


def _check_complete(root: Entry, found: Arrays) -> None:
    missing = [entry for entry in root.walk() if stored(entry) and not entry.children and entry not in found]
    raise_all(
        ShapeError(
            f"the file has no weights of layer {entry.path!r}", where=entry.where, hint="give the right weights file"
        )
        for entry in missing
    )
