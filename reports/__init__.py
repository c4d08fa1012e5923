"""What people read of a compiled model: the page, the graph with its figures, the reports of vendors' tools."""
