"""What Gatewright put into the network that the model does not have."""

from ..panel import Document, Panel
from ..template import fill


def inserted(document: Document) -> Panel | None:
    """List the quantizers that are not the model's own."""
    if "layers" not in document:
        return None
    found = [e for e in (*document.get("inputs", ()), *document["layers"]) if e.get("inserted")]
    return Panel("inserted", "What Gatewright inserted", fill("inserted.html", entries=found), 700, "Inserted")
