"""The output directory: written all or nothing, replaced only where nothing of the user's is lost."""

import ctypes
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .graph import FileError, GatewrightError

MANIFEST = "manifest.json"


def sha256(data: bytes) -> str:
    """The SHA-256 of ``data`` in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def write_directory(path: Path, files: Mapping[str, bytes], *, force: bool = False) -> None:
    """Write ``files`` (relative path -> content) as the directory ``path``, all or nothing.

    They are written beside it first and moved into place by renaming, so that an error, a kill or a full disk leaves
    what was there.
    Raises FileError where ``path`` is something that Gatewright did not write, or (unless ``force``) that was changed
    since.
    """
    path = Path(os.path.abspath(path))
    check_replaceable(path, force=force)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent))
    except OSError as error:
        raise FileError(f"cannot write: {error.strerror}", where=str(path)) from None
    try:
        _fill(stage / "new", files)
        _swap(stage, path)
    except OSError as error:
        raise FileError(
            f"cannot write: {error.strerror or error}", where=str(path), hint="the directory is as it was"
        ) from None
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _fill(root: Path, files: Mapping[str, bytes]) -> None:
    root.mkdir()
    for name, data in files.items():
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        if name.endswith(".sh"):
            target.chmod(0o755)


def _swap(stage: Path, path: Path) -> None:
    """Put ``stage/new`` in place of ``path``, in one step where the system can exchange two names."""
    if not path.exists():
        (stage / "new").rename(path)
    elif not _exchange(stage / "new", path):
        path.rename(stage / "old")
        try:
            (stage / "new").rename(path)
        except BaseException:
            (stage / "old").rename(path)
            raise


def _exchange(a: Path, b: Path) -> bool:
    """Exchange two names atomically (Linux renameat2 with RENAME_EXCHANGE); say whether that was possible."""
    try:
        rename = ctypes.CDLL(None).renameat2
    except (OSError, AttributeError, TypeError):
        return False
    here, exchange = -100, 2
    return bool(rename(here, os.fsencode(a), here, os.fsencode(b), exchange) == 0)


def check_replaceable(path: Path, *, force: bool = False) -> None:
    """Raise FileError where writing to ``path`` would lose something: before any work is done."""
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise FileError("is not a directory", where=str(path), hint="choose another --out")
    try:
        if not path.exists() or not any(path.iterdir()):
            return
        manifest = read_manifest(path)
    except (GatewrightError, OSError):
        raise FileError(
            "exists and was not written by gatewright compile; it is left alone",
            where=str(path),
            hint="choose another --out",
        ) from None
    changed = _changes(path, manifest)
    if changed and not force:
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        raise FileError(
            f"was changed since it was compiled: {', '.join(changed[:3])}{more}",
            where=str(path),
            hint="--force replaces it, --out another",
        )


def _changes(path: Path, manifest: Mapping[str, Any]) -> list[str]:
    """Name the files that are not what the manifest says, or that it does not know."""
    known = {entry["path"]: entry["sha256"] for entry in manifest["files"]}
    there = {str(f.relative_to(path)) for f in path.rglob("*") if f.is_file() and f.name != MANIFEST}
    altered = [name for name in sorted(there & known.keys()) if sha256((path / name).read_bytes()) != known[name]]
    return altered + sorted(there - known.keys())


def read_manifest(path: Path) -> dict[str, Any]:
    """Read the manifest of an output directory. Raises FileError where there is none, or it is not one."""
    file = path / MANIFEST
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
    except OSError:
        raise FileError(
            "not an output directory (no manifest.json)", where=str(path), hint="make one with gatewright compile"
        ) from None
    except (ValueError, RecursionError) as error:
        raise FileError(f"damaged: {error}", where=str(file), hint="compile again") from None
    if not isinstance(manifest, dict) or "gatewright" not in manifest or not isinstance(manifest.get("files"), list):
        raise FileError("is not a manifest of Gatewright", where=str(file))
    return manifest


def read_project(path: Path) -> dict[str, bytes]:
    """Read the files below ``project/`` of an output directory, by their path within it."""
    root = path / "project"
    return {str(f.relative_to(root)): f.read_bytes() for f in sorted(root.rglob("*")) if f.is_file()}
