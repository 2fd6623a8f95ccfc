"""The tail is what rots a codebase: no file over 400 lines, no function over 50."""

import ast
from collections.abc import Iterator

from tests.architecture.tree import Source, expect_none, python

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 50


def test_no_file_is_longer_than_400_lines() -> None:
    long = (f"{s}: {lines}" for s in python() if (lines := s.text.count("\n")) > MAX_FILE_LINES)
    expect_none(long)


def test_no_function_is_longer_than_50_lines() -> None:
    long = (
        f"{source}:{node.lineno} {node.name}: {lines}"
        for source in python()
        for node in functions(source)
        if (lines := length(node)) > MAX_FUNCTION_LINES
    )
    expect_none(long)


def functions(source: Source) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count the lines of a function without its docstring: explaining must not be punished."""
    end = node.end_lineno or node.lineno
    docstring = 0
    first = node.body[0]
    if (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    ):
        docstring = (first.end_lineno or first.lineno) - first.lineno + 1
    return end - node.lineno + 1 - docstring
