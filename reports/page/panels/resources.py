"""Resources against the board, at each level by itself."""

from ..answers import Use, uses
from ..document import LEVELS, levels
from ..meters import meter
from ..panel import Document, Panel
from ..template import fill

WHAT = {
    "hls": "What the HLS tool's own report will say. For constant weights it counts about twice what is left after "
    "logic synthesis: do not compare it with the other levels.",
    "synthesis": "What is left when the logic is optimised. This is the level that is compared with the board.",
    "implementation": "What is left after placing and routing: what the device will hold.",
}


def resources(document: Document) -> Panel | None:
    """Draw bars with bands, one block a level."""
    blocks = [(LEVELS[n], WHAT[n], [_bar(u) for u in uses(document, counts)]) for n, counts in levels(document).items()]
    if not blocks:
        return None
    html = fill("resources.html", blocks=blocks, board=document.get("board", ""))
    return Panel("resources", "Resources against the board", html, 300, "Resources")


def _bar(use: Use) -> tuple[Use, str]:
    return use, meter(use.label, use.figure, use.available) if use.available is not None else ""
