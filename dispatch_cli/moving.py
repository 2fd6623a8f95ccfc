"""The one line that moves: what is being waited for, on standard error, gone when it is over.

On a terminal `rich` keeps it in place through resizes and wrapped lines; anywhere else nothing is shown,
because a log full of spinners helps nobody.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self

from dispatch_cli.render.lines import Line, plain
from dispatch_cli.render.text import cut_end
from dispatch_cli.screen import Screen

if TYPE_CHECKING:
    from rich.live import Live


class Moving:
    """A line that can be replaced; lines shown through it stay above it."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._live: Live | None = None
        self._row: Line = ()

    def __enter__(self) -> Self:
        """Begin with nothing shown."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave no trace."""
        self.clear()

    def set(self, row: Line) -> None:
        """Replace the line."""
        if not self._screen.can_move:
            return
        if self._live is None:
            self._live = _live(self._screen)
            self._live.start()
            self._screen.moving = self
        elif row == self._row:
            return
        self._row = row
        self._live.update(self._text(row), refresh=True)

    def clear(self) -> None:
        """Take the line away."""
        if self._live is not None:
            live, self._live = self._live, None
            self._screen.moving = None
            live.stop()

    def show(self, screen: Screen, rows: Iterable[Line]) -> None:
        """Print lines that stay; the moving one makes room and is set again by its owner."""
        self.clear()
        screen.show(rows)

    def _text(self, row: Line) -> Any:
        from rich.text import Text

        width = (self._screen.width or 80) - 1
        if not self._screen.colour:
            return Text(cut_end(plain(row), width))
        text = Text(no_wrap=True, overflow="ellipsis", end="")
        for span in row:
            text.append(span.text, style=_STYLES.get(span.tone.value, ""))
        text.truncate(width, overflow="ellipsis")
        return text


_STYLES = {
    "strong": "bold",
    "command": "bold",
    "quiet": "dim",
    "waiting": "yellow",
    "running": "cyan",
    "done": "green",
    "failed": "red",
    "danger": "bold red",
}


def _live(screen: Screen) -> "Live":
    from rich.console import Console
    from rich.live import Live

    console = Console(
        file=screen.stream, highlight=False, markup=False, emoji=False, no_color=not screen.colour
    )
    return Live(console=console, auto_refresh=False, transient=True)
