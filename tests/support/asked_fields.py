"""Which fields a decoder asks for, with their types and bounds: heard from the decoder itself while it reads.

A table that somebody writes beside a decoder says what they meant; this says what is done. Listening is all that it adds: every
method of `Fields` answers as ever.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from re import sub
from types import ModuleType
from typing import Any

from dispatch_protocol import body, invitation
from dispatch_protocol.encoding import Fields
from dispatch_protocol.messages import files

READS = (
    *("raw", "text", "integer", "boolean", "constant", "choice", "hex", "base64", "fields", "items", "many"),
    *("texts", "hexes", "pairs"),
)


@dataclass(frozen=True)
class Asked:
    """One field: `how` it was read, within which bounds (as the method of `Fields` calls them), and whether it may be null."""

    how: str
    bounds: Mapping[str, Any]
    nullable: bool


@dataclass
class Heard:
    """What was asked for: by the place of an object (`result.changeset[]`) its fields, in the order of the decoder."""

    objects: dict[str, dict[str, Asked]] = field(default_factory=dict)
    depth: int = 0
    nullable: tuple[str, str] | None = None

    def note(self, where: str, name: str, how: str, bounds: Mapping[str, Any]) -> None:
        """Write down one field; the same one may be asked for once for every document, and says the same each time."""
        place = sub(r"\[\d+\]", "[]", where)
        known = self.objects.setdefault(place, {})
        nullable = self.nullable == (where, name) or (name in known and known[name].nullable)
        known[name] = Asked(how, bounds, nullable)

    def refine(self, where: str, how: str) -> None:
        """Write down that a text that was just read has to be something more special."""
        place, _, name = sub(r"\[\d+\]", "[]", where).rpartition(".")
        asked = self.objects.get(place, {}).get(name)
        if asked is not None:
            self.objects[place][name] = Asked(how, asked.bounds, asked.nullable)


def _listening(heard: Heard, how: str, act: Callable[..., Any]) -> Callable[..., Any]:
    def asking(self: Fields, name: str, *args: Any, **bounds: Any) -> Any:
        outermost = heard.depth == 0
        heard.depth += 1
        try:
            return act(self, name, *args, **bounds)
        finally:
            heard.depth -= 1
            if outermost:
                heard.note(self.where, name, how, {**_named(how, args), **bounds})
                heard.nullable = None

    return asking


def _named(how: str, args: tuple[Any, ...]) -> dict[str, Any]:
    """Return what was given by its place under the name that `Fields` has for it."""
    name = {"hex": "length", "hexes": "length", "choice": "options", "constant": "expected"}.get(how)
    return {} if name is None or not args else {name: args[0]}


def _optional(heard: Heard, act: Callable[..., Any]) -> Callable[..., Any]:
    def asking(self: Fields, read: Callable[..., Any], name: str, *args: Any, **bounds: Any) -> Any:
        heard.nullable = (self.where, name)
        return act(self, read, name, *args, **bounds)

    return asking


def _object(heard: Heard, act: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    def reading(fields: Fields, name: str, *, max_bytes: int) -> dict[str, Any]:
        value = act(fields, name, max_bytes=max_bytes)
        place = sub(r"\[\d+\]", "[]", fields.where)
        heard.objects[place][name] = Asked("object", {"max_bytes": max_bytes}, nullable=False)
        return value

    return reading


def _checking(heard: Heard, how: str, act: Callable[[str, str], str]) -> Callable[[str, str], str]:
    def checking(text: str, where: str) -> str:
        heard.refine(where, how)
        return act(text, where)

    return checking


def _address(heard: Heard, act: Callable[[Fields, str], str]) -> Callable[[Fields, str], str]:
    def reading(fields: Fields, name: str) -> str:
        address = act(fields, name)
        heard.refine(f"{fields.where}.{name}", "address")
        return address

    return reading


def _others(heard: Heard) -> dict[str, tuple[Any, Any]]:
    """Return what else reads a field, by its name in every module: the function, and the one that listens."""
    return {
        "read_object": (body.read_object, _object(heard, body.read_object)),
        "check_word": (body.check_word, _checking(heard, "word", body.check_word)),
        "check_name": (files.check_name, _checking(heard, "name", files.check_name)),
        "read_address": (invitation.read_address, _address(heard, invitation.read_address)),
    }


@contextmanager
def listening() -> Iterator[Heard]:
    """Hear what decoders ask for, for as long as this lasts."""
    heard = Heard()
    reads = {how: getattr(Fields, how) for how in (*READS, "optional")}
    others = _others(heard)
    changed: list[tuple[ModuleType, str, Any]] = []
    try:
        for how in READS:
            setattr(Fields, how, _listening(heard, how, reads[how]))
        setattr(Fields, "optional", _optional(heard, reads["optional"]))  # noqa: B010 - like the others
        for module in [each for name, each in sys.modules.items() if name.startswith("dispatch_protocol.")]:
            for name, (old, new) in others.items():
                if getattr(module, name, None) is old:
                    changed.append((module, name, old))
                    setattr(module, name, new)
        yield heard
    finally:
        for how, act in reads.items():
            setattr(Fields, how, act)
        for module, name, old in changed:
            setattr(module, name, old)
