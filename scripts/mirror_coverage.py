"""Demand that every pure module is covered, line and branch, by the one test file that mirrors it.

A module of the core that is only reached through somebody else's test is not tested, it is used. So each
module is judged by the lines run at import and by its own mirror test, and by nothing else. Reads the data
that `pytest --cov --cov-context=test` left behind; exits 1 and lists what is missing.
"""

import ast
import io
import re
import sys
from pathlib import Path

import coverage

ROOT = Path(__file__).resolve().parent.parent


def pure_modules() -> list[Path]:
    """Return the modules that must be covered: dispatch_protocol and every core, relative to the root."""
    places = [ROOT / "dispatch_protocol", *ROOT.glob("dispatch_*/core")]
    return sorted(path.relative_to(ROOT) for place in places for path in place.rglob("*.py"))


def mirror(module: Path) -> str:
    """Return the path of the test file that mirrors a module."""
    name = module.parent.name if module.name == "__init__.py" else module.stem
    return (Path("tests/unit") / module.parent / f"test_{name}.py").as_posix()


def has_code(module: Path) -> bool:
    """Tell whether a module holds more than its docstring."""
    body = ast.parse((ROOT / module).read_text(encoding="utf-8")).body
    return any(not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) for node in body)


def covered(data: coverage.Coverage, module: Path) -> tuple[float, str]:
    """Return how many percent of a module its mirror test covers, and the report's last lines."""
    text = io.StringIO()
    contexts = ["^$", "^" + re.escape(mirror(module)) + "::"]
    percent = data.report(include=[str(ROOT / module)], contexts=contexts, file=text, skip_covered=False)
    return percent, text.getvalue()


def main() -> int:
    """Print every pure module that its mirror test leaves uncovered; return 1 if there is one."""
    data = coverage.Coverage(config_file=str(ROOT / "pyproject.toml"))
    data.load()
    measured = {Path(name) for name in data.get_data().measured_files()}
    wanting = 0
    for module in pure_modules():
        if ROOT / module not in measured:
            if has_code(module):
                print(f"{module}: never imported by a unit test; its mirror is {mirror(module)}")
                wanting += 1
            continue
        percent, text = covered(data, module)
        if percent < 100:
            line = next(line for line in text.splitlines() if line.startswith(str(module)))
            print(f"{line}    (by {mirror(module)})")
            wanting += 1
    print(f"{wanting} of {len(pure_modules())} pure modules are not fully covered by their mirror tests")
    return 1 if wanting else 0


if __name__ == "__main__":
    sys.exit(main())
