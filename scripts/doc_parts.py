"""The passages of the documents that are made from the code, so that they cannot say anything else.

Each function returns Markdown; the documents call them through cog (`scripts/docs`).
"""

import ast
import configparser
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from dispatch_cli.main import SECTIONS, program

ROOT = Path(__file__).resolve().parent.parent


def contracts() -> str:
    """Return the sentences of the import contracts as a list."""
    config = configparser.ConfigParser()
    config.read(ROOT / ".importlinter")
    return "\n".join(f"- {config[name]['name']}" for name in config if ":contract:" in name)


def modules(package: str) -> str:
    """Return a package's modules with the first sentence of each docstring, folder by folder."""
    lines: list[str] = []
    for folder, sources in _folders(ROOT / package):
        lines += ["", f"`{folder.relative_to(ROOT)}/` — {_sentence(folder / '__init__.py')}", ""]
        lines += [f"- [`{path.name}`](../{path.relative_to(ROOT)}): {_sentence(path)}" for path in sources]
    return "\n".join(lines[1:])


def _folders(folder: Path) -> Iterator[tuple[Path, list[Path]]]:
    sources = sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")
    if (folder / "__init__.py").exists():
        yield folder, sources
    for inner in sorted(folder.iterdir()):
        if inner.is_dir() and inner.name != "__pycache__":
            yield from _folders(inner)


def _sentence(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0]


def commands() -> str:
    """Return the help of every command, as a terminal of 100 columns shows it."""
    lines: list[str] = []
    for section, entries in SECTIONS.items():
        lines += [f"## {section}", ""]
        for name in entries:
            command = program.get_command(click.Context(program), name)
            if command is not None:
                lines += _help(command, f"dispatch {name}")
    return "\n".join(lines).rstrip()


def attacks() -> str:
    """Return every named attack of a hostile broker, chapter by chapter, as tables."""
    sys.path.insert(0, str(ROOT))
    from tests.support.hostile_broker.attacks import CHAPTERS

    lines: list[str] = []
    for title, chapter in CHAPTERS.items():
        lines += [
            "",
            f"## {title}",
            "",
            "| the attack | the broker | what comes of it | how it is seen |",
            "|---|---|---|---|",
        ]
        lines += [f"| {each.name} | {each.does} | {each.outcome} | {each.seen} |" for each in chapter]
    return "\n".join([*lines, ""])


def questions() -> str:
    """Return the first question of each kind that a second implementation is asked, with its answer."""
    sys.path.insert(0, str(ROOT))
    from tests.conformance import independent
    from tests.conformance.finding import InProcess
    from tests.conformance.judge import CHAPTERS

    asked = InProcess(independent.acts())
    for name, chapter in CHAPTERS.items():
        for _ in zip(chapter(asked), range(1 if name == "bodies" else 10_000), strict=False):
            pass
    lines = [json.dumps(_short(each), ensure_ascii=False) for pair in asked.first.values() for each in pair]
    return "\n".join(["", "```text", *lines, "```", ""])


def _short(value: Any) -> Any:
    """Return a value with long texts cut and lists after their first element, to be looked at."""
    if isinstance(value, dict):
        return {name: _short(item) for name, item in value.items()}
    if isinstance(value, list):
        return [*map(_short, value[:1]), *(["…"] if len(value) > 1 else [])]
    return f"{value[:24]}…" if isinstance(value, str) and len(value) > 32 else value


def _help(command: click.Command, name: str) -> Iterator[str]:
    context = click.Context(command, info_name=name, terminal_width=100, max_content_width=100)
    yield from (f"### {name}", "", "```text", command.get_help(context).rstrip(), "```", "")
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            if found is not None:
                yield from _help(found, f"{name} {inner}")
