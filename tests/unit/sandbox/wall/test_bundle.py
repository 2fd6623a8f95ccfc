import ast
import io
import sys
import zipfile

from sandbox.wall import bundle


def test_it_holds_the_helper_and_everything_the_helper_imports_and_nothing_else() -> None:
    wanted, pending = set(), ["sandbox.wall.inside"]
    while pending:
        module = pending.pop()
        path = bundle.ROOT / module.replace(".", "/")
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        name = str(file.relative_to(bundle.ROOT).with_suffix(""))
        if name not in wanted:
            wanted.add(name)
            pending += imports(file.read_text())
    assert set(bundle.MODULES) == wanted


def imports(source: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sandbox"):
            parts = (node.module or "").split(".")
            found += [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
            found += [
                f"{node.module}.{alias.name}"
                for alias in node.names
                if (bundle.ROOT / (node.module or "").replace(".", "/") / f"{alias.name}.py").is_file()
            ]
    return found


def test_what_the_helper_imports_besides_is_the_standard_library() -> None:
    foreign = set()
    for name in bundle.MODULES:
        for node in ast.walk(ast.parse((bundle.ROOT / f"{name}.py").read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            foreign |= {each.split(".")[0] for each in names} - set(sys.stdlib_module_names) - {"sandbox"}
    assert foreign == set()


def test_it_is_one_zip_of_compiled_code_without_a_path_of_this_machine() -> None:
    archive = zipfile.ZipFile(io.BytesIO(bundle.helper()))
    assert archive.testzip() is None
    assert all(name.endswith(".pyc") for name in archive.namelist())
    assert str(bundle.ROOT).encode() not in bundle.helper()
