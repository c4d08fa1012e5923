"""The line finder against texts whose lines are known, and against tomllib: every path that it has is a real one."""

import tomllib
from importlib.resources import files

import pytest

from gatewright.boards.lines import Path, key_lines, line_of

from .samples import ALL

HARD = '''\
# [not] = a table
"a key" = 1   # comment = 2
dotted.key.deep = { x = 1, "y" = [1, 2,
  3], z.w = """
[fake]
fake = 1
""" }
'quoted' = 'text # = ['
many = [
  # a comment with ] in it
  "one]", \'\'\'
two = 2\'\'\',
  { inner = 5 },
]
text = """quote at the end\\""""""
date = 1979-05-27T07:32:00Z

[[array]]
k = 1
[array.table]
l = 2
[[array]]
k = 3
[array.table]
l = 4
[[array.sub]]
m = 5
[ spaced . "table" ]
n = true
'''

KNOWN: dict[Path, int] = {
    ("a key",): 2,
    ("dotted",): 3,
    ("dotted", "key", "deep"): 3,
    ("dotted", "key", "deep", "x"): 3,
    ("dotted", "key", "deep", "y"): 3,
    ("dotted", "key", "deep", "y", 2): 4,
    ("dotted", "key", "deep", "z", "w"): 4,
    ("quoted",): 8,
    ("many",): 9,
    ("many", 0): 11,
    ("many", 1): 11,
    ("many", 2): 13,
    ("many", 2, "inner"): 13,
    ("text",): 15,
    ("date",): 16,
    ("array",): 18,
    ("array", 0, "k"): 19,
    ("array", 0, "table", "l"): 21,
    ("array", 1): 22,
    ("array", 1, "k"): 23,
    ("array", 1, "table"): 24,
    ("array", 1, "table", "l"): 25,
    ("array", 1, "sub", 0, "m"): 27,
    ("spaced", "table", "n"): 29,
}


def paths(value: object, path: Path = ()) -> set[Path]:
    found = {path} if path else set()
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return found.union(*(paths(each, (*path, key)) for key, each in pairs))


def test_quoted_keys_with_quotes_in_them() -> None:
    text = '"it\'s" = 1\n\'say "x"\' = 2\n"tab\\tand \\u00e9" = 3\n'
    assert key_lines(text) == {("it's",): 1, ('say "x"',): 2, ("tab\tand é",): 3}
    assert set(key_lines(text)) == paths(tomllib.loads(text))


def test_known_lines() -> None:
    lines = key_lines(HARD)
    assert {path: lines.get(path) for path in KNOWN} == KNOWN


@pytest.mark.parametrize("text", [HARD, "", "# nothing", *ALL.values()])
def test_the_paths_are_those_of_tomllib(text: str) -> None:
    assert set(key_lines(text)) == paths(tomllib.loads(text))


def test_the_paths_of_the_shipped_files() -> None:
    for entry in (files("gatewright.boards") / "data").iterdir():
        text = entry.read_text(encoding="utf-8")
        lines = key_lines(text)
        assert set(lines) == paths(tomllib.loads(text))
        rows = text.split("\n")
        assert all(str(path[-1]) in rows[line - 1] for path, line in lines.items() if isinstance(path[-1], str))


def test_a_path_that_is_missing_has_the_line_of_the_table_around_it() -> None:
    lines = key_lines(HARD)
    assert line_of(lines, ("array", 1, "missing")) == 22
    assert line_of(lines, ("nowhere", "at", "all")) == 1
