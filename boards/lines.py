"""Which line of a TOML text each key stands on (tomllib does not say).

Only used when something is wrong with a file that tomllib has read, so the syntax is known to be right and the scanner
may skip over values instead of understanding them.
"""

import re
import tomllib
from collections.abc import Callable

Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_KEY = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'""")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}(?!")' "|'''.*?'{3,5}(?!')" r'|"(?:[^"\\\n]|\\.)*"' r"|'[^'\n]*'", re.DOTALL
)
_SCALAR = re.compile(r"[^,\]}\n#]+")


def key_lines(text: str) -> dict[Path, int]:
    """Give the 1-based line of every key and array element of a valid TOML ``text``, by its path.

    ("fpga", "resources", "lut") is a key, ("cores", 1, "name") a key of the second table of the array ``cores``. A
    table that is opened more than once, by dotted keys, has the line of its first mention.
    """
    scanner = _Scanner(text)
    scanner.document()
    return scanner.lines


def line_of(lines: dict[Path, int], path: Path) -> int:
    """Give the line of ``path``, or of the closest table around it that the text has (1 for the document)."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text, self.at, self.lines = text, 0, dict[Path, int]()
        self.counts: dict[Path, int] = {}
        self.seen, self.line = 0, 1

    def document(self) -> None:
        table: Path = ()
        while self.blank() < len(self.text):
            if self.text[self.at] == "[":
                table = self.header()
            else:
                self.pair(table)

    def blank(self) -> int:
        match = _BLANK.match(self.text, self.at)
        assert match
        self.at = match.end()
        return self.at

    def here(self) -> int:
        """The line of the current position; positions only grow, so only the new text is counted."""
        self.line += self.text.count("\n", self.seen, self.at)
        self.seen = self.at
        return self.line

    def header(self) -> Path:
        array = self.text.startswith("[[", self.at)
        line = self.here()
        self.at += 2 if array else 1
        path = self.resolve((), self.dotted())
        self.at = self.text.index("]", self.at) + (2 if array else 1)
        if array:
            index = self.counts[path] = self.counts.get(path, -1) + 1
            self.lines.setdefault(path, line)
            path = (*path, index)
        self.mark(path, line)
        return path

    def resolve(self, base: Path, keys: list[str]) -> Path:
        """Follow ``keys`` from ``base``; a key that names an array of tables means its last table so far."""
        path = base
        for position, key in enumerate(keys):
            path = (*path, key)
            if position < len(keys) - 1 and path in self.counts:
                path = (*path, self.counts[path])
        return path

    def mark(self, path: Path, line: int) -> None:
        for length in range(1, len(path) + 1):
            self.lines.setdefault(path[:length], line)

    def dotted(self) -> list[str]:
        keys = [self.key()]
        while self.blank() < len(self.text) and self.text[self.at] == ".":
            self.at += 1
            keys.append(self.key())
        return keys

    def key(self) -> str:
        match = _KEY.match(self.text, self.blank())
        assert match, "key_lines needs a text that tomllib has read"
        self.at = match.end()
        return str(tomllib.loads(f"key = {match[0]}")["key"]) if match[0][0] in "\"'" else match[0]

    def pair(self, table: Path) -> None:
        self.blank()
        line = self.here()
        path = (*table, *self.dotted())
        self.mark(path, line)
        self.at = self.text.index("=", self.at) + 1
        self.value(path)

    def value(self, path: Path) -> None:
        start = self.text[self.blank()]
        if start == "[":
            self.items("]", lambda index: self.element((*path, index)))
        elif start == "{":
            self.items("}", lambda _: self.pair(path))
        else:
            match = (_STRING if start in "\"'" else _SCALAR).match(self.text, self.at)
            assert match
            self.at = match.end()

    def element(self, path: Path) -> None:
        self.blank()
        self.mark(path, self.here())
        self.value(path)

    def items(self, close: str, read: Callable[[int], None]) -> None:
        self.at += 1
        index = 0
        while self.text[self.blank()] != close:
            read(index)
            index += 1
            if self.text[self.blank()] == ",":
                self.at += 1
        self.at += 1
