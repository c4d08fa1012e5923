"""The output directory: written all or nothing, replaced only where nothing of the user's is lost."""

import ctypes
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any, cast

from .graph import FileError, GatewrightError
from .manifest import SCHEMA, schema

MANIFEST = "manifest.json"
PAGE = "report.html"
"""Made from the manifest, and made again from it at any time: it has no hash, and changes to it are no loss."""
PROJECT = "project/"


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
    made = [p for p in (path.parent, *path.parent.parents) if not p.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent))
    except OSError as error:
        _remove_empty(made)
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
        _remove_empty(made)


def _remove_empty(folders: Sequence[Path]) -> None:
    """Take away folders, the innermost first, that were made on the way to one that was not."""
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()


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
    """Raise FileError where writing to ``path`` would lose something, or cannot be done: before any work is done."""
    try:
        _check_replaceable(path, force)
    except OSError as error:
        raise FileError(f"cannot be looked at: {error.strerror or error}", where=str(path)) from None


def _check_replaceable(path: Path, force: bool) -> None:
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise FileError("is not a directory", where=str(path), hint=ANOTHER)
    _check_place(path)
    if not path.exists() or not any(path.iterdir()):
        return
    try:
        manifest = read_manifest(path)
    except GatewrightError:
        what = "exists and was not written by gatewright compile; it is left alone"
        raise FileError(what, where=str(path), hint=ANOTHER) from None
    changed = changes(path, manifest)
    if changed and not force:
        hint = "--force (in Python force=True) replaces it; or choose another --out"
        raise FileError(f"was changed since it was compiled: {_few(changed)}", where=str(path), hint=hint)


def _check_place(path: Path) -> None:
    """Raise FileError where no directory can be put at ``path``."""
    full = Path(os.path.abspath(path))
    here = Path(os.path.realpath(os.curdir))
    if full.parent == full or here.is_relative_to(os.path.realpath(full)):
        what = "is the directory that you are in, which cannot be replaced as a whole"
        raise FileError(what, where=str(path), hint="name a directory in it")
    above = next(p for p in full.parents if p.exists() or p.is_symlink())
    if not above.is_dir():
        raise FileError(f"{above} is not a directory", where=str(path), hint=ANOTHER)
    if not os.access(above, os.W_OK | os.X_OK):
        raise FileError(f"{above} cannot be written to", where=str(path), hint=ANOTHER)


ANOTHER = "choose another --out"


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def changes(path: Path, manifest: Mapping[str, Any]) -> list[str]:
    """Name the files that are not what the manifest says, that are missing, or that it does not know."""
    known = {entry["path"]: entry["sha256"] for entry in manifest["files"]}
    there = {str(f.relative_to(path)) for f in path.rglob("*") if not f.is_dir()}
    return _altered(path, known) + sorted(there - known.keys() - {MANIFEST, PAGE})


def _altered(path: Path, known: Mapping[str, str]) -> list[str]:
    def same(name: str) -> bool:
        file = path / name
        return file.is_file() and sha256(file.read_bytes()) == known[name]

    return [name for name in sorted(known) if not same(name)]


def check_unchanged(path: Path, manifest: Mapping[str, Any]) -> None:
    """Raise FileError where a file of an output directory is missing or not what the manifest says. What was added
    (by a synthesis) does not matter.
    """
    try:
        altered = _altered(path, {entry["path"]: entry["sha256"] for entry in manifest["files"]})
    except OSError as error:
        raise FileError(f"cannot read: {error.strerror or error}", where=str(error.filename or path)) from None
    if altered:
        hint = "compile again; --force (in Python force=True) takes it as it is"
        raise FileError(f"was changed since it was compiled: {_few(altered)}", where=str(path), hint=hint)


def read_manifest(path: Path) -> dict[str, Any]:
    """Read the manifest of an output directory. Raises FileError where there is none, or it is not one."""
    file = path / MANIFEST
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        there = "" if file.exists() else " (no manifest.json)"
        what = f"not an output directory{there}" if there or path.is_file() else f"cannot read: {error.strerror}"
        raise FileError(what, where=str(path), hint="make one with gatewright compile") from None
    except (ValueError, RecursionError) as error:
        raise FileError(f"damaged: {error}", where=str(file), hint="compile again") from None
    if (problem := _problem(manifest)) is not None:
        raise FileError(f"is not a manifest of Gatewright: {problem}", where=str(file), hint="compile again")
    return cast(dict[str, Any], manifest)


def _problem(manifest: object) -> str | None:
    """Say what is wrong with a manifest."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    if isinstance(manifest, dict) and manifest.get("schema") not in (SCHEMA, None):
        return f"schema {manifest['schema']!r}, this version of Gatewright reads {SCHEMA}"
    error = best_match(Draft202012Validator(schema()).iter_errors(manifest))
    if error is not None:
        return f"{'/'.join(map(str, error.absolute_path)) or 'it'}: {error.message[:120]}"
    outside = [e["path"] for e in manifest["files"] if not _inside(e["path"])]  # type: ignore[index]
    return f"{outside[0]!r} is not a file in the directory" if outside else None


def _inside(name: str) -> bool:
    pure = PurePosixPath(name)
    return bool(name) and not pure.is_absolute() and ".." not in pure.parts and str(pure) == name and "\0" not in name


def manifest_files(manifest: Mapping[str, Any]) -> dict[str, bytes]:
    """Give the manifest's own file and the page that is made of it."""
    from .reports.page import page

    text = json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
    return {MANIFEST: text.encode(), PAGE: page(manifest)}


def rewrite(path: Path, manifest: Mapping[str, Any]) -> Path:
    """Replace the manifest and the page of an output directory, each in one step; give the page's place.

    Raises FileError.
    """
    for name, data in manifest_files(manifest).items():
        part = path / f".{name}.partial"
        try:
            part.write_bytes(data)
            part.replace(path / name)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise FileError(f"cannot write: {error.strerror or error}", where=str(path / name)) from None
    return path / PAGE


def write_onnx(path: Path, manifest: Mapping[str, Any], file: Path) -> Path:
    """Write the graph of an output directory with its figures as an ONNX file; give its place. Raises FileError."""
    from .graph.file import load
    from .reports.netron import to_onnx

    data = to_onnx(load(path), manifest)
    try:
        file.write_bytes(data)
    except OSError as error:
        raise FileError(f"cannot write: {error.strerror}", where=str(file)) from None
    return file


def read_project(path: Path, manifest: Mapping[str, Any]) -> dict[str, bytes]:
    """Read the files below ``project/`` that the manifest names, by their path within it. Raises FileError."""
    names = [e["path"] for e in manifest["files"] if e["path"].startswith(PROJECT)]
    try:
        return {name.removeprefix(PROJECT): (path / name).read_bytes() for name in names}
    except OSError as error:
        raise FileError(f"cannot read: {error.strerror}", where=str(error.filename or path)) from None
