"""What an ignore file says: the rules of gitignore(5), for the searches that skip what a person would skip."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.tools.patterns import PatternError, matcher

VERSION_CONTROL = frozenset({".git", ".svn", ".hg", ".bzr", ".jj", ".sl"})


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of an ignore file, for paths relative to the directory the file stands in."""

    pattern: re.Pattern[str]
    ignored: bool
    only_directories: bool


def parse(text: str) -> tuple[Rule, ...]:
    """Read an ignore file; a line that makes no sense is passed over, as git does."""
    rules = (_rule(line) for line in text.splitlines())
    return tuple(rule for rule in rules if rule is not None)


def decide(rules: Sequence[Rule], path: str, *, is_directory: bool) -> bool | None:
    """Say whether a path is ignored, or None where no rule speaks of it; the last matching rule decides."""
    for rule in reversed(rules):
        if rule.pattern.match(path) and (is_directory or not rule.only_directories):
            return rule.ignored
    return None


def _rule(line: str) -> Rule | None:
    text = re.sub(r"(?<!\\) +$", "", line)
    if not text or text.startswith("#"):
        return None
    ignored = not text.startswith("!")
    text = text if ignored else text[1:]
    only_directories = text.endswith("/")
    text = text.rstrip("/")
    anchored = "/" in text
    text = text.removeprefix("/")
    try:
        pattern = matcher(text if anchored else f"**/{text}", braces=False)
    except (PatternError, re.error):
        return None
    return Rule(pattern, ignored, only_directories) if text else None
