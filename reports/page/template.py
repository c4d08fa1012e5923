"""The templates of the page."""

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from . import numbers

if TYPE_CHECKING:
    from jinja2 import Environment


def fill(name: str, **values: Any) -> str:
    """Fill a template; everything that is not marked as safe is escaped."""
    return _environment().get_template(name).render(**values)


def text(name: str) -> str:
    """Read a file beside the templates as it is."""
    return files(__package__).joinpath("templates", name).read_text(encoding="utf-8")


@cache
def _environment() -> "Environment":
    from jinja2 import ChainableUndefined, Environment, FunctionLoader

    made = Environment(
        loader=FunctionLoader(text), autoescape=True, undefined=ChainableUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.filters |= {
        "shown": numbers.shown, "band": numbers.band, "about": numbers.about, "whole": numbers.whole,
        "short": numbers.short, "seconds": numbers.seconds, "percent": numbers.percent, "shape": numbers.shape_text,
    }  # fmt: skip
    return made
