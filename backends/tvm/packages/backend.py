"""Make the wheel of a compiled network: what pip calls (PEP 517). It needs nothing but Python.

The library depends on no C library's version, so that the wheel is for every Linux of its processor.
"""

import base64
import hashlib
import tarfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
DATE = (1980, 1, 1, 0, 0, 0)


def _project() -> tuple[dict[str, Any], dict[str, Any]]:
    table = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))
    return table["project"], table["tool"]["network"]


def _metadata(project: dict[str, Any]) -> str:
    lines = [
        "Metadata-Version: 2.1", f"Name: {project['name']}", f"Version: {project['version']}",
        f"Summary: {project['description']}", f"Requires-Python: {project['requires-python']}",
    ]  # fmt: skip
    return "\n".join([*lines, *(f"Requires-Dist: {d}" for d in project["dependencies"])]) + "\n"


def _stem(project: dict[str, Any]) -> str:
    return f"{project['name'].replace('-', '_')}-{project['version']}"


def _files() -> dict[str, bytes]:
    """The module's files by their path in the wheel."""
    module = HERE / _project()[1]["module"]
    paths = sorted(p for p in module.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    return {p.relative_to(HERE).as_posix(): p.read_bytes() for p in paths}


def get_requires_for_build_wheel(config_settings: object = None) -> list[str]:
    """Nothing is needed."""
    return []


def build_wheel(wheel_directory: str, config_settings: object = None, metadata_directory: str | None = None) -> str:
    """Write the wheel; give its name."""
    project, network = _project()
    stem, info = _stem(project), f"{_stem(project)}.dist-info"
    platforms = network["platforms"]
    tags = "\n".join(f"Tag: py3-none-{p}" for p in platforms)
    wheel = f"Wheel-Version: 1.0\nGenerator: gatewright\nRoot-Is-Purelib: false\n{tags}\n"
    files = {**_files(), f"{info}/METADATA": _metadata(project).encode(), f"{info}/WHEEL": wheel.encode()}
    record = [f"{path},{_hash(data)},{len(data)}" for path, data in files.items()]
    files[f"{info}/RECORD"] = ("\n".join([*record, f"{info}/RECORD,,"]) + "\n").encode()
    name = f"{stem}-py3-none-{'.'.join(platforms)}.whl"
    with zipfile.ZipFile(Path(wheel_directory) / name, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            entry = zipfile.ZipInfo(path, DATE)
            entry.external_attr = 0o100644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return name


def _hash(data: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def build_sdist(sdist_directory: str, config_settings: object = None) -> str:
    """Write the folder as it is into an archive; give its name."""
    stem = _stem(_project()[0])
    with tarfile.open(Path(sdist_directory) / f"{stem}.tar.gz", "w:gz") as archive:
        for path in ("pyproject.toml", "backend.py", *_files()):
            archive.add(HERE / path, f"{stem}/{path}")
    return f"{stem}.tar.gz"
