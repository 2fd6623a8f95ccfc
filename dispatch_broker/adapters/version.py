"""Which version of Dispatch this is, as its installation says."""

from importlib.metadata import PackageNotFoundError, version

_DISTRIBUTION = "dispatch-courier"


def installed_version() -> str:
    """Return the installed version; a source tree that nobody installed says so."""
    try:
        return version(_DISTRIBUTION)
    except PackageNotFoundError:
        return "0+source"
