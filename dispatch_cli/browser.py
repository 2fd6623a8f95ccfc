"""The browser of whoever sits here: whether there can be one, and having it open an address."""

import os
import sys


def has_display() -> bool:
    """Say whether a browser could show something on this machine."""
    if sys.platform != "linux":
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))


def opened(url: str) -> bool:
    """Ask the system for its browser, which must not write into this terminal."""
    import webbrowser

    return webbrowser.open(url)
