"""YAML for steps files: only plain values, read as YAML 1.2 reads them.

The usual loader knows dates, `yes` as a truth value, aliases that expand without bound and keys that silently
replace each other. A steps file is signed and run, so it means exactly what it looks like, or it is refused.
"""

import re
from typing import Any

import yaml

_DEPTH = 32


class StepsYamlError(Exception):
    """The text is no YAML of plain values; the message says where."""


class _Loader(yaml.SafeLoader):
    """Knows null, true and false, integers, floats and strings, and nothing else."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own shape

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse aliases, which repeat without bound, and nesting without sense."""
        if self.check_event(yaml.AliasEvent):
            raise StepsYamlError(f"an alias (*) is not allowed (line {self.line + 1})")
        self._depth = getattr(self, "_depth", 0) + 1
        if self._depth > _DEPTH:
            raise StepsYamlError(f"it is nested too deeply (line {self.line + 1})")
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build an object whose keys are distinct strings."""
        found: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise _marked("a key should be text", key_node.start_mark)
            if key in found:
                raise _marked(f"the key {key!r} is named twice", key_node.start_mark)
            found[key] = self.construct_object(value_node, deep=deep)
        return found


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+", list("-+0123456789")),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", list("-+.0123456789")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)


_NO_NUMBERS = frozenset({"NaN", "Infinity", "-Infinity"})  # as they stand in what only looks like JSON


def _construct_text(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> str:
    """Read text; the words of numbers that are none are text only in quotes."""
    value = str(loader.construct_scalar(node))
    if node.style is None and value in _NO_NUMBERS:
        raise _marked(f"{value} is no value; as text it is written in quotes", node.start_mark)
    return value


def _construct_integer(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    """Read decimal digits as a decimal number: 010 is ten, as it looks."""
    return int(loader.construct_scalar(node))


_PREFIX = "tag:yaml.org,2002:"
_KNOWN = ("null", "bool", "float", "seq", "map")
# A tag can be written out (`!!binary`, `!!timestamp`), so what is not plain loses its constructor too.
_Loader.yaml_constructors = {
    None: yaml.SafeLoader.yaml_constructors[None],
    f"{_PREFIX}int": _construct_integer,
    f"{_PREFIX}str": _construct_text,
    **{_PREFIX + name: yaml.SafeLoader.yaml_constructors[_PREFIX + name] for name in _KNOWN},
}


def _marked(reason: str, mark: Any) -> StepsYamlError:
    return StepsYamlError(f"{reason} (line {mark.line + 1})")


def load(text: str) -> Any:
    """Return the value of one YAML document.

    Raises `StepsYamlError`.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader, narrowed
    except yaml.MarkedYAMLError as error:
        raise StepsYamlError(
            f"it is neither JSON nor YAML: {error.problem}"
            + (f" (line {error.problem_mark.line + 1})" if error.problem_mark else "")
        ) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise StepsYamlError(f"it is neither JSON nor YAML: {error}") from error
