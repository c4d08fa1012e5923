"""Every layer class of Keras 3.15 and tf-keras 2.21 is imported or refused, and the documentation says which."""

import re
from pathlib import Path

import pytest

from gatewright.frontend.keras import assemble  # noqa: F401 - fills the tables
from gatewright.frontend.keras.refused import REFUSED
from gatewright.frontend.keras.registry import LAYERS

DATA = Path(__file__).parents[2] / "data" / "keras"
DOCS = Path(__file__).parents[3] / "docs" / "keras.md"
CLASSES = [line.split() for line in (DATA / "classes.txt").read_text().splitlines()]
"""The package and the name of each class of its ``layers``."""


@pytest.mark.parametrize("name", sorted({name for _, name in CLASSES}))
def test_every_class_is_accounted_for(name: str) -> None:
    plain = re.sub(r"^Convolution(\d)", r"Conv\1", name).replace("SeparableConvolution", "SeparableConv")
    assert (plain in LAYERS) != (plain in REFUSED), name


def test_the_documentation_names_every_class() -> None:
    words = set(re.findall(r"[A-Za-z0-9_]+", DOCS.read_text()))
    assert not [name for _, name in CLASSES if name not in words]


@pytest.mark.live
@pytest.mark.parametrize("package", ["keras", "tf_keras"])
def test_the_list_is_that_of_the_package(package: str) -> None:
    layers = pytest.importorskip(package, exc_type=ImportError).layers
    classes = {n: getattr(layers, n) for n in dir(layers) if n[0].isupper() and isinstance(getattr(layers, n), type)}
    names = {*classes, *(c.__name__ for c in classes.values())}  # files hold the latter
    listed = {name for owner, name in CLASSES if owner == package}
    assert set(classes) <= listed <= names
