"""What every back end returns: files in memory."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from ..graph import FileError


@dataclass(frozen=True)
class Project:
    """Relative path (with ``/``) to content; nothing touches the disk until ``write``.

    ``notes`` are sentences for the user: what was changed of what was asked, and why. They are not part of the files.
    """

    files: Mapping[str, bytes]
    notes: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        for path in self.files:
            _check(path)
        object.__setattr__(self, "files", MappingProxyType(dict(sorted(self.files.items()))))

    @property
    def digest(self) -> str:
        """64 hexadecimal digits that are equal where all paths and contents are."""
        total = sha256()
        for path, data in self.files.items():
            total.update(f"{len(path.encode())} {path} {len(data)} ".encode() + data)
        return total.hexdigest()

    def write(self, root: Path) -> None:
        """Put the files under ``root`` (scripts executable); what else is there stays. Raises FileError where the
        disk refuses.
        """
        try:
            for path, data in self.files.items():
                target = root / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(data)
                if path.endswith(".sh"):
                    target.chmod(0o755)
        except OSError as error:
            raise FileError(f"cannot write: {error.strerror or error}", where=str(root)) from None

    @staticmethod
    def read(root: Path) -> "Project":
        """Take the files under ``root`` into memory. Raises FileError where there is no such directory."""
        if not root.is_dir():
            raise FileError("no such directory", where=str(root))
        try:
            paths = sorted(p for p in root.rglob("*") if p.is_file() and not p.is_symlink())
            return Project({p.relative_to(root).as_posix(): p.read_bytes() for p in paths})
        except OSError as error:
            raise FileError(f"cannot read: {error.strerror or error}", where=str(root)) from None


def _check(path: str) -> None:
    pure = PurePosixPath(path)
    if (
        pure.is_absolute()
        or ".." in pure.parts
        or "\\" in path
        or ":" in path
        or "\0" in path
        or str(pure) != path
        or path == "."
    ):
        raise ValueError(f"{path!r} is not a path inside the project")
