"""How far one yes reaches: which later calls it covers, and the sentence that says so before it is given.

The sentence and the rule are made from the same four fields, so neither can grow without the other. A reach is bound
to what stands in the call, never to what a path may lead to: a path that does not name its place plainly is not
covered and asks again. Whatever has no bound of its own is bound to its whole input.
"""

import hashlib
import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dispatch_protocol.encoding import JSON, dumps
from dispatch_protocol.paths import contains

# Which fields of a tool say where it works; the first is needed, and a search without one works in the run directory.
_PLACES: dict[str, tuple[str, ...]] = {
    "Read": ("file_path",),
    "Write": ("file_path",),
    "Edit": ("file_path",),
    "Glob": ("path",),
    "Grep": ("path",),
}
_SEARCHES = frozenset({"Glob", "Grep"})


@dataclass(frozen=True, slots=True)
class Reach:
    """Calls of `tool`: exactly this `command`, any path named at or below `below`, or exactly the call `subject`.

    With none of the three it is every call of the tool: such rules were given before places were part of them.
    """

    tool: str
    command: str | None = None
    below: str | None = None
    subject: str | None = None

    def covers(self, tool: str, arguments: Mapping[str, JSON], cwd: str) -> bool:
        """Say whether a call is one of those; `cwd` is where its run works."""
        if tool != self.tool:
            return False
        if self.subject is not None:
            return call_subject(tool, arguments) == self.subject
        if self.command is not None:
            return arguments.get("command") == self.command
        if self.below is not None:
            places = places_of(tool, arguments, cwd)
            return bool(places) and all(contains(self.below, place) for place in places)
        return tool != "Bash"

    def sentence(self) -> str:
        """Return in plain words what is covered, and nothing that is not."""
        if self.subject is not None:
            return f"exactly this call of {self.tool}"
        if self.command is not None:
            return f"exactly this command: {self.command}"
        if self.below is not None:
            return f"every {self.tool} that names a place at or below {self.below}"
        return f"every {self.tool}"


def reach_of(tool: str, arguments: Mapping[str, JSON], cwd: str, paths: Iterable[str]) -> Reach:
    """Return how far a standing yes to this call reaches; `paths` are the directories that its run may see."""
    command = arguments.get("command")
    if tool == "Bash" and isinstance(command, str):
        return Reach(tool, command=command)
    places = places_of(tool, arguments, cwd)
    for top in (cwd, *sorted(paths, key=len, reverse=True)):
        if places and all(contains(top, place) for place in places):
            return Reach(tool, below=top)
    return Reach(tool, subject=call_subject(tool, arguments))


def places_of(tool: str, arguments: Mapping[str, JSON], cwd: str) -> tuple[str, ...]:
    """Return every place that a call names, absolute; none if one of them does not name its place plainly."""
    named = [arguments.get(name) for name in _PLACES.get(tool, ())]
    if tool in _SEARCHES:
        named = ["." if name is None else name for name in named]
    if tool == "Glob":
        pattern = arguments.get("pattern")
        named.append(posixpath.join(str(named[0]), pattern) if isinstance(pattern, str) else None)
    places = [_place(name, cwd) for name in named]
    return tuple(place for place in places if place is not None) if None not in places else ()


def _place(name: JSON, cwd: str) -> str | None:
    """Return a path made absolute; None for one that goes upwards, or is no path."""
    if not isinstance(name, str) or not name or "\0" in name or ".." in name.split("/"):
        return None
    place = posixpath.normpath(posixpath.join(cwd, name))
    return f"/{place.lstrip('/')}"  # POSIX lets two slashes at the start mean something of their own


def call_subject(tool: str, arguments: Mapping[str, JSON]) -> str:
    """Return the SHA-256 (hex) of exactly the call that is asked about."""
    return hashlib.sha256(dumps({"tool": tool, "input": dict(arguments)})).hexdigest()
