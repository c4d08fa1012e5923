"""How fast a project for a graphics processor runs beside other engines; see ``python -m benchmarks.gpu --help``."""
