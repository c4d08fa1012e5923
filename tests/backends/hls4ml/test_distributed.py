"""Distributed arithmetic: products as adder graphs, which da4ml makes. Exact like the others."""

import pytest

import gatewright as gw

from ...models import tiny


@pytest.mark.live
@pytest.mark.parametrize("io", ["parallel", "stream"])
def test_is_exact_and_the_same_bytes_each_time(io: str) -> None:
    pytest.importorskip("da4ml")
    options = {"board": "vu13p", "io": io, "strategy": "distributed_arithmetic", "vectors": 64}
    project = gw.compile(tiny(sizes=(6, 8, 5)), **options)
    assert project.manifest["verification"]["status"] == "exact"
    assert project.files == gw.compile(tiny(sizes=(6, 8, 5)), **options).files


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatewright.backends.hls4ml.options.find_spec", lambda name: None)
    with pytest.raises(gw.OptionError, match="needs the package da4ml"):
        gw.compile(tiny(), board="vu13p", strategy="distributed_arithmetic")
