"""How fast a compiled module runs on this machine's CPU beside other engines: ``python -m benchmarks.cpu``."""
