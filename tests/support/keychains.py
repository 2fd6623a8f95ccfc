"""Real little keychains behind `keyring`'s own interface: one that works and several that fail as real ones do."""

import threading
from typing import ClassVar

from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError


class MemoryKeychain(KeyringBackend):
    """Keeps entries in memory, as an unlocked keychain does."""

    priority: ClassVar[float] = 5
    name = "Memory"

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        try:
            del self.entries[service, username]
        except KeyError:
            raise PasswordDeleteError("not found") from None


class LockedKeychain(MemoryKeychain):
    """Refuses everything until somebody unlocks it, which on a headless machine nobody does."""

    name = "Locked"
    locked = True

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise KeyringLocked("locked")
        return super().get_password(service, username)

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.locked:
            raise KeyringLocked("locked")
        super().set_password(service, username, password)


class HangingKeychain(MemoryKeychain):
    """Waits for a prompt that nobody sees, until `released`."""

    name = "Hanging"

    def __init__(self) -> None:
        super().__init__()
        self.released = threading.Event()

    def set_password(self, service: str, username: str, password: str) -> None:
        self.released.wait()


class ForgetfulKeychain(MemoryKeychain):
    """Takes everything and gives nothing back."""

    name = "Forgetful"

    def get_password(self, service: str, username: str) -> str | None:
        return None


class PlaintextKeyring(MemoryKeychain):
    """What `keyrings.alt` calls its backend that writes secrets as text."""

    name = "Plaintext"
