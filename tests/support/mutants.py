"""Programs from which one check has been left out: made from the syntax tree, so that a new check makes a new one.

Left out is every condition that ends in a refusal (and each alternative of it by itself), every part of a comparison of
several things at once, and every call that is made for its refusal alone. What remains are refusals that no condition
guards, at the end of a search or where another library's error is renamed: `unguarded` names their functions.
"""

import ast
import copy
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any


@dataclass(frozen=True, slots=True)
class Mutant:
    """One function without one of its checks; `left_out` is the source of the check, `name` is stable and unique."""

    module: ModuleType = field(repr=False)
    place: str
    left_out: str
    tree: ast.FunctionDef = field(repr=False, compare=False)

    @property
    def name(self) -> str:
        return f"{self.module.__name__.rpartition('.')[2]}.{self.place} without {self.left_out}"

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Put this function in the place of the right one, wherever that was imported, for the length of a block."""
        owner, _, name = self.place.rpartition(".")
        holder: Any = getattr(self.module, owner) if owner else self.module
        right = holder.__dict__[name]
        made: dict[str, Any] = {}
        code = compile(ast.fix_missing_locations(ast.Module([self.tree], [])), self.name, "exec")
        exec(code, self.module.__dict__, made)
        holders = (
            [holder] if owner else [each for each in list(sys.modules.values()) if _holds(each, name, right)]
        )
        for each in holders:
            setattr(each, name, made[name])
        try:
            yield
        finally:
            for each in holders:
                setattr(each, name, right)


def _holds(module: Any, name: str, right: object) -> bool:
    return getattr(module, "__name__", "").startswith(("dispatch_", "tests.")) and (
        vars(module).get(name) is right
    )


def mutants(module: ModuleType, *places: str) -> list[Mutant]:
    """Return every mutant of the named functions of a module, or of all of its functions."""
    found = [
        Mutant(module, place, what, tree)
        for place, function in functions(module)
        if not places or place in places
        for what, tree in _without_one_check(function)
    ]
    names = [each.name for each in found]
    assert len(set(names)) == len(names), "two checks of one wording: say them differently"
    return found


def unguarded(module: ModuleType, *places: str) -> set[str]:
    """Return the functions that refuse where no condition guards it: after a search, or by renaming an error."""
    return {
        place
        for place, function in functions(module)
        if (not places or place in places)
        and any(isinstance(node, ast.Raise) for node in ast.walk(function))
        and _raises_unguarded(function)
    }


def functions(module: ModuleType) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Yield the functions of a module with their places, those of its classes too."""
    tree = ast.parse(inspect.getsource(module))
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield from (
                (f"{node.name}.{each.name}", each) for each in node.body if isinstance(each, ast.FunctionDef)
            )
        elif isinstance(node, ast.FunctionDef) and not any(
            "overload" in ast.unparse(d) for d in node.decorator_list
        ):
            yield node.name, node


def _refuses(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and not node.orelse and isinstance(node.body[-1], ast.Raise)


def _raises_unguarded(function: ast.FunctionDef) -> bool:
    guarded = {
        id(each.body[-1]) for each in ast.walk(function) if isinstance(each, ast.If) and _refuses(each)
    }
    bare = (each for each in ast.walk(function) if isinstance(each, ast.Raise) and each.exc is not None)
    return any(id(each) not in guarded for each in bare)


def _without_one_check(function: ast.FunctionDef) -> Iterator[tuple[str, ast.FunctionDef]]:
    for at, node in enumerate(ast.walk(function)):
        for way in _WAYS.get(type(node), ()):
            yield from way(function, at)


def _twin(function: ast.FunctionDef, at: int) -> tuple[ast.FunctionDef, Any]:
    """Return a copy of a function, and the node of the copy that stands at this place of the walk."""
    twin = copy.deepcopy(function)
    return twin, list(ast.walk(twin))[at]


def _said(node: ast.AST) -> str:
    return textwrap.shorten(ast.unparse(node), 90, placeholder="…")


_Mutations = Iterator[tuple[str, ast.FunctionDef]]


def _condition(function: ast.FunctionDef, at: int) -> _Mutations:
    """Leave out a condition that ends in a refusal, as a whole."""
    twin, node = _twin(function, at)
    if isinstance(node, ast.If) and _refuses(node):
        said = _said(node.test)
        node.test = ast.Constant(False)
        yield f"`{said}`", twin


def _alternatives(function: ast.FunctionDef, at: int) -> _Mutations:
    """Leave out one of several conditions that each end in the same refusal."""
    _, node = _twin(function, at)
    test = node.test if isinstance(node, ast.If) and _refuses(node) else None
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or):
        for index, each in enumerate(test.values):
            twin, changed = _twin(function, at)
            changed.test.values[index] = ast.Constant(False)
            yield f"`{_said(each)}` of `{_said(test)}`", twin


def _compared(function: ast.FunctionDef, at: int) -> _Mutations:
    """Leave out one place of two tuples that must be equal."""
    _, node = _twin(function, at)
    if not (isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.NotEq)):
        return
    right = node.comparators[0]
    if isinstance(right, ast.Tuple):
        for index, each in enumerate(right.elts):
            twin, changed = _twin(function, at)
            left = changed.left
            same = (
                left.elts[index]
                if isinstance(left, ast.Tuple)
                else ast.Subscript(left, ast.Constant(index), ast.Load())
            )
            changed.comparators[0].elts[index] = same
            yield f"`{_said(each)}` of `{_said(node)}`", twin


def _members(function: ast.FunctionDef, at: int) -> _Mutations:
    """Leave out one member of a set that something must contain."""
    _, node = _twin(function, at)
    if (
        isinstance(node, ast.Compare)
        and isinstance(node.ops[0], ast.GtE)
        and isinstance(node.comparators[0], ast.Set)
    ):
        for index, each in enumerate(node.comparators[0].elts):
            twin, changed = _twin(function, at)
            del changed.comparators[0].elts[index]
            yield f"`{_said(each)}` of `{_said(node)}`", twin


def _entries(function: ast.FunctionDef, at: int) -> _Mutations:
    """Leave out one pair of a table of things that must be equal."""
    _, node = _twin(function, at)
    if isinstance(node, ast.Dict):
        for index, each in enumerate(node.keys):
            if isinstance(node.values[index], ast.Tuple) and each is not None:
                twin, changed = _twin(function, at)
                del changed.keys[index], changed.values[index]
                yield f"the pair {_said(each)}", twin


def _call(function: ast.FunctionDef, at: int) -> _Mutations:
    """Leave out a call that returns nothing: it was made for its refusal."""
    twin, node = _twin(function, at)
    call = node.value if isinstance(node, ast.Expr) else None
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
        said = _said(call)
        node.value = ast.Constant(None)
        yield f"`{said}`", twin


_WAYS: dict[type[ast.AST], tuple[Callable[[ast.FunctionDef, int], _Mutations], ...]] = {
    ast.If: (_condition, _alternatives),
    ast.Compare: (_compared, _members),
    ast.Dict: (_entries,),
    ast.Expr: (_call,),
}

Killer = Callable[[], bool]


def first_to_notice(mutant: Mutant, killers: dict[str, Killer]) -> str | None:
    """Return the name of the first test that fails on a mutant; an error of another kind is a failure too."""
    with mutant.in_force():
        for name, passes in killers.items():
            try:
                if not passes():
                    return name
            except Exception:  # noqa: BLE001 - whatever breaks a test has been noticed by it
                return name
    return None
