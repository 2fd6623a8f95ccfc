"""A page with terminals on it, played again: each command is typed at a real terminal, and what it shows is compared.

A fence `console` holds what stands on one screen. `alice$ dispatch …` begins a command, `alice …` goes on with the one that
is still open there, and a line that ends in a question and a key is a key that was pressed. Ids, times, addresses and
words differ each time; they are numbered as they first appear, so that what is the same twice must be the same twice.
"""

import difflib
import re
import shlex
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.dispatch_command import Terminal
from tests.support.neighbourhood import Person
from tests.support.patience import poll

_FENCE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_BEGIN = re.compile(r"(?P<who>[a-z]+)(?:\$ dispatch (?P<command>.*)| …)")
_KEY = re.compile(r"(?P<question>.*(?:\[y/N\]|\[Enter\])) (?P<key>[yd])")
_ATOM = re.compile(
    r"(?P<token>dispatch1:[^\s']+)"
    r"|(?P<pairing>dispatch-pair1:[^\s']+)"
    r"|(?P<words>(?:(?<=hear theirs: )|(?<=for your words: ))[a-z]+(?: [a-z]+){6})"
    r"|(?P<place>\b127\.0\.0\.1:\d+)"
    r"|(?P<version>\b\d+\.\d+\.\d+\b(?!\.))"
    r"|(?P<uuid>\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b)"
    r"|(?P<id>\b[0-9a-f]{8,64}\b)"
    r"|(?P<number>\b\d{3} \d{3}\b)"
    r"|(?P<time>\b\d{1,2} [A-Z][a-z]{2}(?: \d{4})?(?: \d\d:\d\d)?\b|\bnow\b|\b\d+ ?(?:s|min|h)(?: ago)?\b)"
)
_LIST = re.compile(r"<id \d+>(?:, <id \d+>)+")
_SHORT = 8
_PASSED_ON = {"token", "pairing"}
_SETTLED = 4
_TIMELESS = {"time", "version"}
_LOOKS = (
    "contacts",
    "devices",
    "invitations",
    "whoami",
    "inbox",
)  # what may be asked until the news have come


@dataclass
class Step:
    """One command, or the rest of one: who types it, and what it shows."""

    who: str
    command: str | None
    shown: str

    @property
    def looks(self) -> bool:
        """Whether it changes nothing, so that it may be typed again."""
        return self.command in _LOOKS


def read(page: str) -> list[Step]:
    """Return the steps of a page, in their order."""
    steps: list[Step] = []
    for fence in _FENCE.findall(page):
        for line in fence.splitlines():
            begun = _BEGIN.fullmatch(line)
            if begun is not None:
                steps.append(Step(begun["who"], begun["command"], ""))
            else:
                steps[-1].shown += f"{line}\n"
    return steps


@dataclass
class Numbers:
    """What differs each time, in the order in which it was first seen."""

    known: dict[tuple[str, str], str] = field(default_factory=dict)

    def plain(self, text: str) -> str:
        """Return a text without what differs, and without the way in which it was broken into lines."""
        numbered = _ATOM.sub(self._number, " ".join(text.split()))
        return _LIST.sub(lambda found: ", ".join(sorted(found[0].split(", "))), numbered)

    def _number(self, found: re.Match[str]) -> str:
        kind = str(found.lastgroup)
        if kind in _TIMELESS:
            return f"<{kind}>"
        said = found[0]
        if kind in {"id", "uuid"}:  # what is shown short is the beginning of what is shown whole
            kind, said = "id", said[:_SHORT]
        count = sum(1 for each, _ in self.known if each == kind)
        return self.known.setdefault((kind, said), f"<{kind} {count + 1}>")


class Stage:
    """People at their terminals; `spelled` are the real places by how the page writes them."""

    def __init__(
        self, people: Mapping[str, Person], desks: Mapping[str, Path], spelled: Mapping[str, str]
    ) -> None:
        self._people = people
        self._desks = desks
        self._spelled = spelled
        self._open: dict[str, tuple[Terminal, int]] = {}
        self._said: dict[str, str] = {}
        self._theirs, self._ours = Numbers(), Numbers()

    def play(self, step: Step, *, goes_on: bool, compare: bool = True) -> str:
        """Play one step and return what was shown, as the page would write it; what differs from the page fails."""
        if not compare:
            return self._settled(step, goes_on=goes_on)
        expected = self._theirs.plain(step.shown)

        def same() -> str | None:
            shown, ours = self._shown(step, goes_on=goes_on), deepcopy(self._ours)
            if ours.plain(shown) != expected:
                assert step.looks, self._differs(step, shown)
                self._last = shown
                return None
            self._ours = ours
            return shown or "\n"

        self._last = ""
        try:
            return poll(same, f"{step.who} sees what the page says of {step.command}", limit_s=20)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self._differs(step, self._last)}") from None

    def close(self) -> None:
        """End what is still open."""
        for terminal, _ in self._open.values():
            terminal.__exit__()

    def _settled(self, step: Step, *, goes_on: bool) -> str:
        """Play a step that is to be written down; a look is taken again until it shows the same for a while."""
        shown = [self._shown(step, goes_on=goes_on)]
        while step.looks and (len(shown) < _SETTLED or len(set(shown[-_SETTLED:])) > 1):
            shown.append(self._shown(step, goes_on=goes_on))
        return shown[-1]

    def _differs(self, step: Step, shown: str) -> str:
        lines = difflib.unified_diff(
            step.shown.splitlines(), shown.splitlines(), "page", "terminal", lineterm=""
        )
        return f"{step.who}$ dispatch {step.command}\n" + "\n".join(lines)

    def _shown(self, step: Step, *, goes_on: bool) -> str:
        terminal, read_chars = self._open.pop(step.who, None) or (self._typed(step), 0)
        for line in step.shown.splitlines():
            key = _KEY.fullmatch(line)
            if key is not None:
                terminal.expect(key["question"].split()[-1])
                terminal.press(f"{key['key']}\n")
                terminal.expect(f"{key['question'].split()[-1]} {key['key']}")
        if goes_on:
            last = [line for line in step.shown.splitlines() if line.strip()][-1].split()[-1]
            terminal.expect(last)
            shown = terminal.plain
            self._open[step.who] = terminal, len(shown)
        else:
            terminal.end()
            shown = terminal.plain
            terminal.__exit__()
        return self._spell(shown[read_chars:])

    def _typed(self, step: Step) -> Terminal:
        """Type a command; a token or a code in it is the one that was shown last."""
        assert step.command is not None, f"nothing is open at {step.who}"
        line = step.command
        for name, value in self._spelled.items():
            line = line.replace(name, value)
        line = _ATOM.sub(lambda found: self._said.get(str(found.lastgroup), found[0]), line)
        environ = {"DISPATCH_KEY_BACKEND": "file", "DISPATCH_LOCAL_PORT": "0", "NO_COLOR": "1"}
        person = self._people[step.who]
        return Terminal(person.home, *shlex.split(line), columns=110, cwd=self._desks[step.who], **environ)

    def _spell(self, shown: str) -> str:
        for found in _ATOM.finditer(shown):
            if found.lastgroup in _PASSED_ON:
                self._said[str(found.lastgroup)] = found[0]
        for name, value in self._spelled.items():
            shown = shown.replace(value, name)
        return shown


def told(page: str, tell: Callable[[Step, bool], str]) -> str:
    """Return the page with what each step shows now."""
    steps = read(page)
    said: dict[str, str] = {}
    shown = iter([tell(step, goes_on(steps, index)) for index, step in enumerate(steps)])

    def fence(found: re.Match[str]) -> str:
        lines: list[str] = []
        for line in found[1].splitlines():
            if _BEGIN.fullmatch(line):
                lines += [_ATOM.sub(lambda atom: said.get(str(atom.lastgroup), atom[0]), line)]
                lines += [next(shown).strip("\n")]
                said.update(
                    {
                        str(atom.lastgroup): atom[0]
                        for atom in _ATOM.finditer(lines[-1])
                        if atom.lastgroup in _PASSED_ON
                    }
                )
        return "```console\n" + "\n".join(lines) + "\n```"

    return _FENCE.sub(fence, page)


def goes_on(steps: list[Step], index: int) -> bool:
    """Whether the command of a step is still open after it."""
    later = [step for step in steps[index + 1 :] if step.who == steps[index].who]
    return bool(later) and later[0].command is None
