"""Where the device's private keys rest: the keychain if there is one, else a file only the owner can read.

A home has one identity for its whole life. So the keystore never answers "no keys" when it merely cannot reach them:
`<home>/device` names the device (a public id), and if that file is there, its keys must be found or the daemon stops
with a sentence. Entries carry the device id in their name, because two homes may share one keychain. Which store is
used is always said; nothing falls back to a file silently.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

from dispatch_daemon.adapters.home import HomeError, read_private, write_private
from dispatch_daemon.adapters.keychain import Keychain, KeychainError, find_keychain
from dispatch_daemon.adapters.settings import KeyBackend
from dispatch_protocol.encoding import JSON, loads
from dispatch_protocol.errors import DispatchError, MalformedError
from dispatch_protocol.keys import DeviceId, Genesis, RecoveryKey, SealingKey, SigningKey

KEYS_NAME: Final = "keys.json"
DEVICE_NAME: Final = "device"
FILE_MAX_BYTES: Final = 16 * 1024


class KeystoreError(HomeError):
    """The keys of this home are missing (`keys_missing`) or not what they should be (`keys_damaged`)."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Everything secret that makes this device what it is.

    `sealing` is newest first: the one in use, then the one before it until its last envelopes have arrived.
    `recovery` is there until it has been shown once; `genesis` is public and names the identity.
    """

    signing: SigningKey
    sealing: tuple[SealingKey, ...]
    recovery: RecoveryKey | None
    genesis: Genesis

    @property
    def device(self) -> DeviceId:
        """The device these keys belong to."""
        return self.signing.device


class _Shelf(Protocol):
    """A place that keeps the named secrets of one device as text."""

    @property
    def backend(self) -> str: ...
    def held(self) -> str | None: ...
    def read(self, device: str) -> dict[str, str] | None: ...
    def write(self, device: str, entries: dict[str, str]) -> None: ...
    def erase(self, device: str) -> None: ...


class Keystore:
    """The keys of one home in one place; `open_keystore` chooses the place."""

    def __init__(self, home: Path, shelf: _Shelf, reason: str | None) -> None:
        self._home = home
        self._shelf = shelf
        self._reason = reason

    @property
    def backend(self) -> str:
        """The store in a few words: "keychain (NAME)" or "file (0600)"."""
        return self._shelf.backend

    def describe(self) -> str:
        """Say where the keys are, and why there if it was not the first choice."""
        return f"keys are in: {self.backend}" + (f", because: {self._reason}" if self._reason else "")

    def load(self) -> Keys | None:
        """Return the keys, or None for a home that has never had any.

        Raises `KeystoreError` if they are gone or damaged, `KeychainError` if the keychain does not answer.
        """
        device = self._device()
        if device is None:
            return None
        entries = self._shelf.read(device)
        if entries is None:
            raise KeystoreError(
                "keys_missing",
                f"The keys of device {device[:8]} are not in: {self.backend}.",
                hint=_elsewhere(self._home, self.backend),
            )
        return _decode(device, entries)

    def store(self, keys: Keys) -> None:
        """Keep the keys, replacing older ones of the same device.

        Raises `KeystoreError` (`keys_damaged`) rather than replace the keys of another device.
        """
        device = self._device()
        if device not in {None, keys.device.hex}:
            raise KeystoreError("keys_damaged", f"This home belongs to device {device}; its keys stay.")
        self._shelf.write(keys.device.hex, _encode(keys))
        if _recorded_device(self._home) is None:
            write_private(self._home / DEVICE_NAME, f"{keys.device.hex}\n".encode())

    def erase_recovery(self) -> None:
        """Forget the recovery key; it has been shown, and paper keeps it now."""
        keys = self.load()
        if keys is not None and keys.recovery is not None:
            self.store(replace(keys, recovery=None))

    def erase(self) -> None:
        """Forget every key of this device, which was revoked: what is sealed to it from now on opens nowhere."""
        device = self._device()
        if device is not None:
            self._shelf.erase(device)

    def _device(self) -> str | None:
        """Name the device of this home: as recorded, else as the store itself tells after a start cut short."""
        return _recorded_device(self._home) or self._shelf.held()


def open_keystore(
    home: Path, backend: KeyBackend, *, find: Callable[[], Keychain] = find_keychain
) -> Keystore:
    """Choose where the keys of `home` are or will be.

    `auto` stays where the keys are; for a new home it takes the keychain, and the file if there is none that works.
    Raises `KeychainError` if the keychain is demanded, or already holds the keys, and does not answer.
    """
    file = _FileShelf(home)
    if backend == "file":
        return Keystore(home, file, None)
    begun = _recorded_device(home) is not None
    if backend == "auto" and (home / KEYS_NAME).exists():
        return Keystore(home, file, "they were made there" if begun else None)
    try:
        keychain = find()
        if not begun:
            keychain.probe()
    except KeychainError as error:
        if backend == "keyring" or begun:
            raise
        return Keystore(home, file, error.detail.rstrip("."))
    return Keystore(home, _KeychainShelf(keychain), None)


class _FileShelf:
    """`keys.json`, mode 0600, replaced as a whole."""

    backend = "file (0600)"

    def __init__(self, home: Path) -> None:
        self._path = home / KEYS_NAME

    def held(self) -> str | None:
        document = self._document()
        return None if document is None else document["device"]

    def read(self, device: str) -> dict[str, str] | None:
        document = self._document()
        if document is not None and document.pop("device") != device:
            raise KeystoreError(
                "keys_damaged", f"{self._path} does not hold the keys of device {device[:8]}."
            )
        return document

    def _document(self) -> dict[str, str] | None:
        """Read the file as an object of texts that names its device."""
        data = read_private(self._path, max_bytes=FILE_MAX_BYTES)
        if data is None:
            return None
        try:
            value = loads(data, max_bytes=FILE_MAX_BYTES)
        except MalformedError as error:
            raise KeystoreError("keys_damaged", f"{self._path} cannot be read: {error.detail}.") from error
        texts = (
            {name: text for name, text in value.items() if isinstance(text, str)}
            if isinstance(value, dict)
            else {}
        )
        if "device" not in texts:
            raise KeystoreError("keys_damaged", f"{self._path} does not name its device.")
        return texts

    def write(self, device: str, entries: dict[str, str]) -> None:
        document: dict[str, JSON] = {"device": device, **entries}
        write_private(self._path, f"{json.dumps(document, indent=2, sort_keys=True)}\n".encode())

    def erase(self, device: str) -> None:
        del device  # the file is that of one device
        self._path.unlink(missing_ok=True)


class _KeychainShelf:
    """One keychain entry a key, named `dispatch/<device>` and by what it is."""

    _NAMES: Final = ("genesis", "recovery", "sealing", "signing")

    def __init__(self, keychain: Keychain) -> None:
        self._keychain = keychain

    @property
    def backend(self) -> str:
        return f"keychain ({self._keychain.name})"

    def held(self) -> str | None:
        return None  # a keychain is shared; only the home can say which entries are its own

    def read(self, device: str) -> dict[str, str] | None:
        found = {name: self._keychain.read(f"dispatch/{device}", name) for name in self._NAMES}
        return {name: text for name, text in found.items() if text is not None} or None

    def write(self, device: str, entries: dict[str, str]) -> None:
        for name in self._NAMES:
            if name in entries:
                self._keychain.write(f"dispatch/{device}", name, entries[name])
            else:
                self._keychain.remove(f"dispatch/{device}", name)

    def erase(self, device: str) -> None:
        self.write(device, {})


def _encode(keys: Keys) -> dict[str, str]:
    """Spell the keys as text: hex, several sealing keys separated by a space."""
    entries = {
        "genesis": keys.genesis.hex,
        "sealing": " ".join(key.reveal().hex() for key in keys.sealing),
        "signing": keys.signing.reveal().hex(),
    }
    if keys.recovery is not None:
        entries["recovery"] = keys.recovery.reveal().hex()
    return entries


def _decode(device: str, entries: dict[str, str]) -> Keys:
    """Read the keys back and check that they are those of `device`; the complaint never quotes them."""
    try:
        recovery = entries.get("recovery")
        keys = Keys(
            signing=SigningKey(bytes.fromhex(entries["signing"])),
            sealing=tuple(SealingKey(bytes.fromhex(text)) for text in entries["sealing"].split(" ")),
            recovery=RecoveryKey(bytes.fromhex(recovery)) if recovery is not None else None,
            genesis=Genesis.from_hex(entries["genesis"]),
        )
    except (KeyError, ValueError, DispatchError):
        # The cause is dropped on purpose: ValueError quotes what it could not read.
        raise KeystoreError("keys_damaged", f"The keys of device {device[:8]} cannot be read.") from None
    if keys.device.hex != device:
        raise KeystoreError("keys_damaged", f"The stored keys are not those of device {device[:8]}.")
    return keys


def _recorded_device(home: Path) -> str | None:
    """Return the device that the home names as its own."""
    data = read_private(home / DEVICE_NAME, max_bytes=128)
    if data is None:
        return None
    try:
        return DeviceId.from_hex(data.decode("ascii").strip()).hex
    except (UnicodeDecodeError, MalformedError) as error:
        raise KeystoreError("keys_damaged", f"{home / DEVICE_NAME} does not name a device.") from error


def _elsewhere(home: Path, backend: str) -> str | None:
    """Guess where missing keys may be, from what the home shows."""
    if backend.startswith("file"):
        return "start with DISPATCH_KEY_BACKEND=keyring if they are in the keychain"
    if (home / KEYS_NAME).exists():
        return "start with DISPATCH_KEY_BACKEND=file: keys.json is there"
    return None
