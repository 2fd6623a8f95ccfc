"""What the import contracts cannot see: a pure room does not open, print, or take a path that does I/O."""

import ast
import re
from collections.abc import Iterator

from tests.architecture.tree import Source, expect_none, product, pure

WORLDLY_BUILTINS = frozenset(
    {"breakpoint", "compile", "eval", "exec", "input", "open", "print", "__import__"}
)


def test_pure_rooms_call_no_builtin_that_touches_the_world() -> None:
    found = [
        f"{source}:{node.lineno} {node.func.id}()"
        for source in pure()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in WORLDLY_BUILTINS
    ]
    expect_none(found)


def test_pure_rooms_use_only_paths_that_cannot_do_io() -> None:
    found = [
        f"{source}:{name}"
        for source in pure()
        for node in ast.walk(source.tree)
        for name in pathlib_names(node)
        if not name.split()[-1].startswith("Pure")
    ]
    expect_none(found)


def pathlib_names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ImportFrom) and node.module == "pathlib":
        return [f"{node.lineno} {alias.name}" for alias in node.names]
    if isinstance(node, ast.Import):
        return [f"{node.lineno} pathlib" for alias in node.names if alias.name == "pathlib"]
    return []


def test_pure_rooms_define_no_coroutine() -> None:
    coroutines = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    found = [
        f"{s}:{node.lineno}" for s in pure() for node in ast.walk(s.tree) if isinstance(node, coroutines)
    ]
    expect_none(found)


# Where a process may be born. The import contract `processes` guards modules; these calls need no import beyond
# os or asyncio, which many files use for other things.
BIRTHS = re.compile(r"(?:exec[lv]p?e?|fork|forkpty|popen|posix_spawnp?|spawn[lv]p?e?|system)")
LOOP_BIRTHS = re.compile(r"(?:create_)?subprocess_(?:exec|shell)")
MAY_START_PROCESSES = {
    "dispatch_cli/commands/daemon.py": "`daemon run` becomes the daemon",
    "dispatch_cli/starting.py": "the daemon, detached",
    "sandbox/tools/bash.py": "the Bash tool, inside the wall",
    "sandbox/wall/inside.py": "the helper and its children, inside the wall",
    "sandbox/wall/overlay.py": "the stage between bubblewrap and the helper",
    "dispatch_daemon/adapters/servers/child.py": "the keeper of a tool server of this machine's owner",
    "dispatch_daemon/adapters/servers/keeper.py": "the tool server that it keeps",
    "dispatch_daemon/adapters/notifier.py": "the program by which a person wants to be called",
    "sandbox/wall/runner.py": "the one place that starts the wall",
}


def births(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
            if (owner == "os" and BIRTHS.fullmatch(node.func.attr)) or LOOP_BIRTHS.fullmatch(node.func.attr):
                yield f"{source}:{node.lineno} {node.func.attr}"


def test_processes_are_started_in_named_files_only() -> None:
    found = [birth for s in product() if str(s) not in MAY_START_PROCESSES for birth in births(s)]
    expect_none(found)
