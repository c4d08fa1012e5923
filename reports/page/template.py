"""The templates of the page."""

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from . import numbers

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup


def fill(name: str, **values: Any) -> str:
    """Fill a template; everything that is not marked as safe is escaped."""
    return _environment().get_template(name).render(**values)


def breaks(name: str) -> "Markup":
    """Let a name break into lines after its underscores."""
    from markupsafe import Markup, escape

    return Markup("_<wbr>").join(escape(part) for part in name.split("_"))


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
        name: getattr(numbers, name) for name in ("shown", "band", "about", "whole", "short", "seconds", "percent")
    }
    made.filters |= {"shape": numbers.shape_text, "breaks": breaks}
    return made
