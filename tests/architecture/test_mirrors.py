"""Every pure module has its own test file, at the mirrored path, and every unit test mirrors a module."""

import ast
from pathlib import Path

from tests.architecture.tree import ROOT, Source, expect_none, files, pure


def has_code(source: Source) -> bool:
    """Tell whether a file holds more than its docstring and imports."""
    inert = (ast.Import, ast.ImportFrom)
    return any(not isinstance(node, inert) and not _is_text(node) for node in source.tree.body)


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def mirror(module: Path) -> Path:
    name = module.parent.name if module.name == "__init__.py" else module.stem
    return Path("tests/unit") / module.parent / f"test_{name}.py"


def test_every_pure_module_has_its_mirror_test() -> None:
    wanted = {str(source): mirror(source.path) for source in pure() if has_code(source)}
    expect_none(f"{module}: {test}" for module, test in wanted.items() if not (ROOT / test).is_file())


def test_every_unit_test_mirrors_a_module() -> None:
    orphans = []
    for path in files():
        if path.parts[:2] == ("tests", "unit") and path.name.startswith("test_") and path.suffix == ".py":
            folder = ROOT.joinpath(*path.parts[2:-1])
            name = path.stem.removeprefix("test_")
            package = folder.name == name and (folder / "__init__.py").is_file()
            if not package and not (folder / f"{name}.py").is_file():
                orphans.append(str(path))
    expect_none(orphans)
