"""The tree is the architecture: folders import from folders to their left; what is slow to import waits."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ORDER = ["graph", "boards", "frontend", "lowering", "backends", "simulation", "reports", "explore"]
NOT = {"backends": {"frontend"}, "simulation": {"frontend"}, "reports": {"frontend"}}
"""Folders to the left that are none of a folder's business all the same."""
HEAVY = {
    "tensorflow", "keras", "tf_keras", "qkeras", "torch", "onnx", "h5py", "hls4ml", "jsonschema", "jinja2", "svg",
    "optuna", "dask", "distributed", "ortools", "unicorn", "elftools",
}  # fmt: skip
FRONT = ROOT / "src" / "gatewright"
FILES = sorted(f for folder in ORDER for f in (ROOT / folder).rglob("*.py"))
FRONT_FILES = sorted(FRONT.glob("*.py"))
MODULES = {f: ("gatewright", *f.relative_to(ROOT).with_suffix("").parts) for f in FILES} | {
    f: ("gatewright", f.stem) for f in FRONT_FILES
}
TEXTS = {".py", ".md", ".toml", ".json", ".h", ".cpp", ".tcl", ".txt", ".yml"}
SHIPPED = sorted(
    f
    for f in (
        *(f for folder in (*ORDER, "examples", "docs", "benchmarks") for f in (ROOT / folder).rglob("*")),
        *FRONT.iterdir(),
        *ROOT.iterdir(),
    )
    if f.is_file() and f.suffix in TEXTS
)


def package_of(file: Path) -> tuple[str, ...]:
    return MODULES[file][:-1]


def targets(node: ast.AST, package: tuple[str, ...]) -> list[str]:
    """List the modules that an import names, relative ones resolved against ``package``."""
    match node:
        case ast.Import(names=names):
            return [a.name for a in names]
        case ast.ImportFrom(module=module, level=0):
            return [module or ""]
        case ast.ImportFrom(module=module, names=names, level=level):
            base = package[: len(package) - level + 1]
            return [".".join((*base, module))] if module else [".".join((*base, a.name)) for a in names]
        case _:
            return []


def imports(tree: ast.AST, file: Path) -> Iterator[tuple[ast.AST, str]]:
    for node in ast.walk(tree):
        for target in targets(node, package_of(file)):
            yield node, target


def while_loading(tree: ast.Module) -> Iterator[ast.AST]:
    """Every node that runs on import: not the bodies of functions, nor what only type checkers read."""
    stack: list[ast.AST] = list(tree.body)
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            stack.extend(node.orelse)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            stack.extend(ast.iter_child_nodes(node))


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_imports_point_left(file: Path) -> None:
    folder = MODULES[file][1]
    allowed = set(ORDER[: ORDER.index(folder) + 1]) - NOT.get(folder, set())
    for node, target in imports(ast.parse(file.read_text()), file):
        head, _, rest = target.partition(".")
        here = f"line {getattr(node, 'lineno', 0)}: {target}"
        assert head not in ORDER, f"{here}: the folders are parts of the package; write it relative"
        if head == "gatewright":
            assert isinstance(node, ast.ImportFrom), f"{here}: write it relative"
            assert node.level, f"{here}: write it relative"
            assert rest.partition(".")[0] in allowed, f"{here}: {folder}/ may not look there"


@pytest.mark.parametrize("file", FILES + FRONT_FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_heavy_packages_wait_until_they_are_needed(file: Path) -> None:
    for node in while_loading(ast.parse(file.read_text())):
        for target in targets(node, package_of(file)):
            assert target.partition(".")[0] not in HEAVY, f"line {node.lineno}: import {target} in the function"  # type: ignore[attr-defined]


def module_file(name: str) -> Path | None:
    """The file of one of our modules; None for what is no module (a name within one)."""
    parts = tuple(name.split("."))
    return next((f for f, m in MODULES.items() if m in (parts, (*parts, "__init__"))), None)


def loaded_by(file: Path) -> set[Path]:
    """Our modules that a module's import runs, by what its text says (a name may be a module of its own)."""
    found = set()
    for node in while_loading(ast.parse(file.read_text())):
        for target in targets(node, package_of(file)):
            names = [target]
            if isinstance(node, ast.ImportFrom):
                names += [f"{target}.{a.name}" for a in node.names]
            found |= {f for name in names if (f := module_file(name)) is not None and f != file}
    return found


def test_no_module_imports_itself_through_others() -> None:
    edges = {f: loaded_by(f) for f in MODULES}
    state: dict[Path, int] = {}

    def visit(file: Path, path: tuple[Path, ...]) -> None:
        if state.get(file) == 1:
            cycle = [*path[path.index(file) :], file]
            pytest.fail(" -> ".join(str(f.relative_to(ROOT)) for f in cycle))
        if state.get(file) == 2:
            return
        state[file] = 1
        for other in sorted(edges[file]):
            if other.name != "__init__.py" or file.parent not in (other.parent, *other.parent.parents):
                visit(other, (*path, file))
        state[file] = 2

    for file in sorted(edges):
        visit(file, ())


def test_every_folder_is_linked_into_the_package() -> None:
    for folder in ORDER:
        assert (FRONT / folder).resolve() == ROOT / folder, f"src/gatewright/{folder} must be a link to {folder}"


@pytest.mark.parametrize("file", SHIPPED, ids=lambda f: str(f.relative_to(ROOT)))
def test_nothing_speaks_of_a_machine(file: Path) -> None:
    """No absolute path of where something was once made."""
    text = file.read_text(encoding="utf-8")
    found = re.findall(r"(?<![\w.:/~$}])/(?:home|Users|root|work|mnt|tmp/w)/[\w.-]+|\.\./shared\b", text)
    assert not found, found
