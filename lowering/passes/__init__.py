"""One pass per file; each docstring begins with what it does, in one line, and shows a graph before and after."""
