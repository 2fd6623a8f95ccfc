"""Addresses of files that work once: a browser's download carries no header, so its address has to be the secret.

One address is held for each file, and another is made when that one was used; so the pages that are drawn again and
again make no new ones. They live in this process alone.
"""

import secrets

from dispatch_daemon.core.errors import ServiceError

_HELD = 10_000
_BYTES = 24


class Downloads:
    """Addresses by what they lead to, and the other way round."""

    def __init__(self) -> None:
        self._keys: dict[tuple[str, str], str] = {}
        self._files: dict[str, tuple[str, str]] = {}

    def url(self, digest: str, name: str) -> str:
        """Return the address at the door of one artifact of a dispatch."""
        key = self._keys.get((digest, name))
        if key is None:
            key = secrets.token_urlsafe(_BYTES)
            self._keys[digest, name] = key
            self._files[key] = (digest, name)
            if len(self._files) > _HELD:
                self._drop(next(iter(self._files)))
        return f"/v1/downloads/{key}"

    def take(self, key: str) -> tuple[str, str]:
        """Return the dispatch and the name behind an address, which then leads nowhere; raises ServiceError `not_found`."""
        if key not in self._files:
            raise ServiceError("not_found", "this address was used already, or never was one")
        return self._drop(key)

    def _drop(self, key: str) -> tuple[str, str]:
        file = self._files.pop(key)
        del self._keys[file]
        return file
