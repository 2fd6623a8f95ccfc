"""The operating system's keychain, asked politely: the one file that touches `keyring`.

A keychain can be missing, locked, or only pretend to protect (a plain file behind a keychain's face). It can also
hang for ever on a prompt that a headless machine never shows, so every question has a deadline. `keyring` is imported
only when somebody asks, because a daemon whose keys are in a file should not pay for it.
"""

import secrets
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Final, TypeVar

from dispatch_daemon.adapters.home import HomeError

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

_T = TypeVar("_T")

ANSWER_TIMEOUT_S: Final = 30.0  # a person may have to type a password
PROBE_TIMEOUT_S: Final = 5.0  # at the first start there is a file to fall back to

# Backends that store nothing, fail always, or write secrets where any program of the user reads them as text.
_REFUSED_MODULES: Final = ("keyring.backends.fail", "keyring.backends.null", "keyrings.alt.")


class KeychainError(HomeError):
    """The keychain is missing, locked, or did not answer in time."""

    def __init__(self, detail: str) -> None:
        """Say what the keychain did."""
        super().__init__(
            "keychain_unavailable", detail, hint="unlock the keychain and start the daemon again"
        )


class Keychain:
    """One usable keychain; every method raises `KeychainError` if it does not answer."""

    def __init__(self, backend: "KeyringBackend", *, timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        self._backend = backend
        self._timeout_s = timeout_s

    @property
    def name(self) -> str:
        """The keychain's name as its maker spells it."""
        return str(self._backend.name)

    def read(self, service: str, name: str) -> str | None:
        """Return an entry, or None if there is none."""
        return _within(self._timeout_s, lambda: self._backend.get_password(service, name))

    def write(self, service: str, name: str, value: str) -> None:
        """Store or replace an entry."""
        _within(self._timeout_s, lambda: self._backend.set_password(service, name, value))

    def remove(self, service: str, name: str) -> None:
        """Remove an entry, if it is there."""
        if self.read(service, name) is not None:
            _within(self._timeout_s, lambda: self._backend.delete_password(service, name))

    def probe(self) -> None:
        """Store, read and remove a random value, which is the only way to learn that a keychain is open."""
        asked = Keychain(self._backend, timeout_s=min(self._timeout_s, PROBE_TIMEOUT_S))
        value, name = secrets.token_hex(8), f"probe-{secrets.token_hex(4)}"
        asked.write("dispatch", name, value)
        found = asked.read("dispatch", name)
        asked.remove("dispatch", name)
        if found != value:
            raise KeychainError(f"{self.name} did not give back what was stored in it.")


def find_keychain() -> Keychain:
    """Return the system's keychain; raises `KeychainError` if there is none that protects what it holds."""
    import keyring
    from keyring.backends.chainer import ChainerBackend

    chosen = keyring.get_keyring()
    candidates = chosen.backends if isinstance(chosen, ChainerBackend) else [chosen]
    for candidate in candidates:
        if _protects(candidate):
            return Keychain(candidate)
    raise KeychainError(f"This machine has no keychain that protects secrets (found: {chosen.name}).")


def _protects(candidate: "KeyringBackend") -> bool:
    """Whether a backend is more than a failure, a hole, or a plain file."""
    kind = type(candidate)
    return not kind.__module__.startswith(_REFUSED_MODULES) and "plaintext" not in kind.__name__.lower()


def _within(timeout_s: float, action: Callable[[], _T]) -> _T:
    """Run a blocking question in a thread of its own and stop waiting after `timeout_s`.

    The thread is a daemon thread: one that hangs on an unseen prompt must not keep the process alive.
    """
    answer: Future[_T] = Future()

    def ask() -> None:
        try:
            answer.set_result(action())
        except Exception as error:  # noqa: BLE001 - backends raise what they like; it is raised again below
            answer.set_exception(error)

    threading.Thread(target=ask, name="keychain", daemon=True).start()
    try:
        return answer.result(timeout_s)
    except TimeoutError as error:
        raise KeychainError(
            f"The keychain did not answer within {timeout_s:g} s; it may be locked."
        ) from error
    except Exception as error:
        raise KeychainError(f"The keychain refused ({type(error).__name__}).") from error
