"""How long a command takes from Enter to the prompt, with a daemon that runs."""

import subprocess
import sys
from pathlib import Path

from benchmarks.figure import Sheet, repeat
from benchmarks.programs import Pair
from benchmarks.sizes import Sizes
from tests.support.dispatch_command import environment


def measure(sheet: Sheet, sizes: Sizes, pair: Pair) -> None:
    """Measure the help, the inbox and the status of a dispatch, through the program that people type."""
    program = str(Path(sys.executable).with_name("dispatch"))
    sent = pair.alice.do("send", pair.bob.address, "Look at the figures.")["dispatch_id"]
    pair.bob.receives(sent)
    environ = environment(pair.bob.home, DISPATCH_KEY_BACKEND="file")
    for name, arguments in (("help", ["--help"]), ("inbox", ["inbox"]), ("status", ["status", sent[:8]])):

        def run(arguments: list[str] = arguments) -> None:
            subprocess.run(
                [program, *arguments],
                check=True,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )

        words = f"`dispatch {'--help' if name == 'help' else name}`"
        sheet.note_times(f"cli_{name}", words, repeat(run, sizes.starts), floor="python_p50")
