"""Put the page together."""

import re
from collections.abc import Sequence

from .answers import actions, answers, known_counts, uses
from .panel import Document, Maker, Panel
from .panels import PANELS
from .template import fill, text

UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
"""Characters that HTML may not hold; models may call their layers so."""


def page(document: Document, panels: Sequence[Maker] = PANELS) -> bytes:
    """Render a manifest as one self-contained HTML file; equal manifests give equal bytes.

    ``panels``: what it shows below its head; parts that the manifest does not have are left out.
    """
    made = sections(document, panels)
    html = fill(
        "page.html", document=document, answers=answers(document), actions=actions(document), panels=made,
        uses=uses(document, known_counts(document)[1]), style=text("style.css"), script=text("script.js"),
        options=_options(document),
    )  # fmt: skip
    return (UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", html.rstrip()) + "\n").encode()


def sections(document: Document, panels: Sequence[Maker] = PANELS) -> list[Panel]:
    """Make the panels that have something to show, in their order."""
    made = [panel for maker in panels if (panel := maker(document)) is not None]
    return sorted(made, key=lambda panel: (panel.order, panel.name))


def _options(document: Document) -> dict[str, str]:
    """Give the options that were chosen, as text."""
    chosen = document.get("options", {})
    plain = {k: str(v) for k, v in chosen.items() if v not in (None, "", "model") and not isinstance(v, (dict, list))}
    rules = {
        f"rule for {rule.get('name', '')}": ", ".join(f"{k} {v}" for k, v in rule.items() if k != "name")
        for rule in chosen.get("layer", ())
    }
    return {**plain, **rules}
