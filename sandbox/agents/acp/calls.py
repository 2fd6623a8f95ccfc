"""An ACP tool call as the six tools know it: which tool it amounts to, and what a person is shown of it.

An agent says itself what its call is, so this decides what is asked and shown and never what is possible: that is the
wall's. Where the agent gives no input, the title is all there is, and the call says so.
"""

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.agents.peer import shown
from sandbox.tools import foreign

ID_CHARS = 500
INPUT_BYTES = 128 * 1024
NO_INPUT = "the agent gave no input for this call; its title is all there is"
TOO_LONG = "the input of this call is too long to be shown"
_KINDS = {"read": "Read", "search": "Grep", "execute": "Bash", "fetch": "WebFetch"}
_CHANGING = ("edit", "delete", "move")
_NAMES = frozenset({"Read", "Glob", "Grep", "Write", "Edit", "Bash", "WebFetch", "WebSearch"})
HARMLESS = frozenset({"think", "switch_mode"})


def _spellings(tool: str) -> Iterator[str]:
    """Return how agents call a tool of a server, `mcp__SERVER__TOOL`, in a title; nothing for the tools inside."""
    if foreign.is_foreign(tool):
        server, _, own = tool.removeprefix(foreign.PREFIX).partition("__")
        yield tool
        yield from (f"{prefix}{server}{between}{own}" for prefix in ("", "mcp.") for between in "_/.")


@dataclass(slots=True)
class Call:
    """What is known of a call so far; the agent adds to it with each update."""

    call_id: str
    kind: str = "other"
    title: str = ""
    status: str = "pending"
    named: str = ""
    input: Any = None
    output: Any = None
    content: list[Any] = field(default_factory=list)
    proposed: bool = False
    finished: bool = False
    permitted: bool = False
    refused: bool = False

    def update(self, given: Mapping[str, Any]) -> None:
        """Take over what an update says; what it leaves out stays."""
        for name in ("kind", "title", "status"):
            if isinstance(given.get(name), str):
                setattr(self, name, shown(given[name], 1000))
        if given.get("rawInput") not in (None, {}):
            self.input = given["rawInput"]
        if given.get("rawOutput") is not None:
            self.output = given["rawOutput"]
        if isinstance(given.get("content"), list):
            self.content = given["content"][:100]
        meta = given.get("_meta")
        claude = meta.get("claudeCode") if isinstance(meta, dict) else None
        named = claude.get("toolName") if isinstance(claude, dict) else None
        if isinstance(named, str) and (named in _NAMES or foreign.is_name(named)):
            self.named = named

    def tool(self, granted: frozenset[str]) -> str:
        """Return the tool that the call amounts to; a change of files is whichever writing tool is granted."""
        if self.named:
            return self.named
        outside = [each for each in granted if self.title.removeprefix("Tool: ") in _spellings(each)]
        if len(outside) == 1:
            return outside[0]
        if self.kind in _CHANGING:
            return "Write" if "Edit" not in granted and "Write" in granted else "Edit"
        return _KINDS.get(self.kind, self.kind)

    def arguments(self, granted: frozenset[str]) -> dict[str, object]:
        """Return the whole call for a person and for the trace, within a bound."""
        if self.tool(granted) == "Bash":
            told = self._command()
        elif isinstance(self.input, dict):
            told = dict(self.input)
        else:
            told = {"title": self.title, "note": NO_INPUT} | self._diffs()
        if len(json.dumps(told)) > INPUT_BYTES:
            return {"title": self.title, "note": TOO_LONG}
        return told

    def _command(self) -> dict[str, object]:
        given = self.input if isinstance(self.input, dict) else {}
        command = given.get("command")
        if isinstance(command, list) and command and all(isinstance(word, str) for word in command):
            return given | {"command": shlex.join(command)}
        if isinstance(command, str) and command:
            return dict(given)
        return {"command": self.title, "note": NO_INPUT} | ({"input": given} if given else {})

    def _diffs(self) -> dict[str, object]:
        """Return what the call would change, where it tells that beside its input."""
        diffs = [
            {name: each.get(name) for name in ("path", "oldText", "newText")}
            for each in self.content
            if isinstance(each, dict) and each.get("type") == "diff"
        ]
        return {"changes": diffs} if diffs else {}

    def result(self) -> str:
        """Return what came of the call, as text."""
        texts = [
            each["content"]["text"]
            for each in self.content
            if isinstance(each, dict)
            and isinstance(each.get("content"), dict)
            and isinstance(each["content"].get("text"), str)
        ]
        if texts or self.output is None:
            return "\n".join(texts)
        return self.output if isinstance(self.output, str) else json.dumps(self.output)
