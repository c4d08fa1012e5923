"""Golden files: run ``pytest --accept`` to rewrite them, then read the diff."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

os.environ["GATEWRIGHT_CALIBRATION"] = "none"  # not what the user has learnt
os.environ.pop("COLUMNS", None)  # the width of whose terminal this is
# on every processor as where TensorFlow itself turns it on: without, channels first have no convolution
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")  # qkeras runs on tf-keras; TensorFlow reads it when it is imported

GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--accept", action="store_true", help="overwrite golden files with what we got")
    parser.addoption("--screenshots", help="keep the pictures of pages that the tests take in this directory")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with ``tests/golden/NAME``."""

    def check(name: str, got: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--accept"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(got, encoding="utf-8")
        assert path.exists(), f"no {path.name}; look at the output below, then run pytest --accept\n{got}"
        assert got == path.read_text(encoding="utf-8")

    return check
