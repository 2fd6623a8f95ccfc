"""What an agent's program is made of: the command that starts it inside the wall, and the directories it must be shown.

Nothing of a home is inside the wall, so a program that lies there needs its files, and a script its interpreter, shown
to it. Both can be read from where the program lies; only as much is shown as it takes: the outermost `node_modules` of
a package from npm, the one directory of anything else.
"""

import os
import shlex
import shutil
from pathlib import Path
from typing import Final

from dispatch_cli.errors import CliError

_MODULES: Final = "node_modules"
_FIRST_LINE: Final = 256  # bytes: what the kernel reads of it at most


def whole(command: str) -> tuple[str, tuple[str, ...]]:
    """Return a command with its program and interpreter spelled out, and the directories that these need besides /usr.

    Raises:
        CliError: `usage`, if it is not found, or lies where nothing may be shown.
    """
    try:
        (name, *words) = shlex.split(command)
    except ValueError:
        (name, words) = ("", [])
    found = shutil.which(name)
    if found is None:
        raise CliError(
            "usage", f"Nothing here is called {name or command!r}.", hint="dispatch agent use --help"
        )
    program = Path(os.path.realpath(found))
    (*interpreter, _) = argv = [*_interpreter(program), str(program)]
    parts = [program, *map(Path, interpreter[:1])]
    directories = dict.fromkeys(str(place) for part in parts if (place := _place(part)) is not None)
    return shlex.join([*argv, *words]), tuple(directories)


def _interpreter(program: Path) -> list[str]:
    """Return what a script is started with, if that is not found inside the wall by the script's own first line."""
    try:
        with program.open("rb") as file:
            line = os.fsdecode(file.readline(_FIRST_LINE))
    except OSError:
        return []
    (name, *words) = line.removeprefix("#!").split() if line.startswith("#!") else [""]
    if Path(name).name == "env":
        (name, *words) = [word for word in words if word != "-S"] or [""]
    elif name.startswith(("/usr/", "/bin/")):
        return []
    found = shutil.which(name)
    return [] if found is None else [os.path.realpath(found), *words]


def _place(program: Path) -> Path | None:
    """Return the directory that a program must be shown, if any."""
    if _is_shown(program):
        return None
    modules = [parent for parent in program.parents if parent.name == _MODULES]
    place = modules[-1] if modules else program.parent
    if Path(os.path.realpath(os.path.expanduser("~"))).is_relative_to(place):
        raise CliError(
            "usage",
            f"{program} lies beside everything else of yours, and all of that would be shown to it.",
            hint="move it into a directory of its own, or name what it needs with --directory",
        )
    return place


def _is_shown(program: Path) -> bool:
    return program.is_relative_to("/usr")
