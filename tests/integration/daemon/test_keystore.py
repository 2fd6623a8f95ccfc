"""The keystore on a real file system and behind keyring's real interface: never lost, never silently elsewhere."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.chainer import ChainerBackend
from keyring.backends.fail import Keyring as FailKeyring

from dispatch_daemon.adapters.home import HomeError
from dispatch_daemon.adapters.keychain import Keychain, KeychainError, find_keychain
from dispatch_daemon.adapters.keystore import Keys, KeystoreError, open_keystore
from dispatch_daemon.adapters.settings import KeyBackend
from dispatch_protocol.keys import Genesis, RecoveryKey, SealingKey, SigningKey
from tests.support.keychains import (
    ForgetfulKeychain,
    HangingKeychain,
    LockedKeychain,
    MemoryKeychain,
    PlaintextKeyring,
)


def make_keys(seed: int = 1) -> Keys:
    return Keys(
        signing=SigningKey(bytes([seed]) * 32),
        sealing=(SealingKey(b"n" * 32), SealingKey(b"o" * 32)),
        recovery=RecoveryKey(b"r" * 32),
        genesis=Genesis(b"g" * 32),
    )


def revealed(keys: Keys | None) -> tuple[object, ...]:
    assert keys is not None
    return (
        keys.signing.reveal(),
        tuple(key.reveal() for key in keys.sealing),
        keys.recovery and keys.recovery.reveal(),
        keys.genesis,
    )


def finding(backend: KeyringBackend, timeout_s: float = 5.0) -> Callable[[], Keychain]:
    return lambda: Keychain(backend, timeout_s=timeout_s)


def no_keychain() -> Keychain:
    raise KeychainError("This machine has no keychain.")


def test_a_new_home_has_no_keys(tmp_path: Path) -> None:
    assert open_keystore(tmp_path, "file").load() is None


def test_keys_in_a_file_come_back_and_only_we_can_read_them(tmp_path: Path) -> None:
    store = open_keystore(tmp_path, "file")
    store.store(make_keys())
    assert revealed(open_keystore(tmp_path, "file").load()) == revealed(make_keys())
    assert store.backend == "file (0600)"
    for name in ("keys.json", "device"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert (tmp_path / "device").read_text().strip() == make_keys().device.hex


def test_keys_never_show_themselves() -> None:
    shown = repr(make_keys())
    assert (b"n" * 32).hex() not in shown
    assert "nnnn" not in shown


def test_keys_in_a_keychain_are_named_by_device(tmp_path: Path) -> None:
    backend = MemoryKeychain()
    store = open_keystore(tmp_path, "auto", find=finding(backend))
    store.store(make_keys())
    device = make_keys().device.hex
    assert set(backend.entries) == {
        (f"dispatch/{device}", name) for name in ("genesis", "recovery", "sealing", "signing")
    }
    assert store.backend == "keychain (Memory)"
    assert store.describe() == "keys are in: keychain (Memory)"
    assert not (tmp_path / "keys.json").exists()
    assert revealed(open_keystore(tmp_path, "auto", find=finding(backend)).load()) == revealed(make_keys())


def test_two_homes_share_a_keychain_without_meeting(tmp_path: Path) -> None:
    backend = MemoryKeychain()
    homes = [tmp_path / "a", tmp_path / "b"]
    for seed, home in enumerate(homes, start=1):
        home.mkdir()
        open_keystore(home, "auto", find=finding(backend)).store(make_keys(seed))
    for seed, home in enumerate(homes, start=1):
        assert revealed(open_keystore(home, "auto", find=finding(backend)).load()) == revealed(
            make_keys(seed)
        )


def test_the_recovery_key_is_erased_and_nothing_else(tmp_path: Path) -> None:
    backend = MemoryKeychain()
    places: list[tuple[Path, KeyBackend, Callable[[], Keychain]]] = [
        (tmp_path / "file", "file", no_keychain),
        (tmp_path / "chain", "auto", finding(backend)),
    ]
    for home, mode, find in places:
        home.mkdir()
        store = open_keystore(home, mode, find=find)
        store.erase_recovery()
        assert store.load() is None
        store.store(make_keys())
        store.erase_recovery()
        store.erase_recovery()
        assert revealed(store.load()) == revealed(replace(make_keys(), recovery=None))
    assert all(name != "recovery" for _, name in backend.entries)
    assert (b"r" * 32).hex() not in (tmp_path / "file" / "keys.json").read_text()


@pytest.mark.parametrize(
    ("find", "reason"),
    [
        (no_keychain, "no keychain"),
        (finding(LockedKeychain()), "KeyringLocked"),
        (finding(ForgetfulKeychain()), "did not give back"),
    ],
)
def test_a_new_home_falls_back_to_a_file_and_says_why(
    tmp_path: Path, find: Callable[[], Keychain], reason: str
) -> None:
    store = open_keystore(tmp_path, "auto", find=find)
    assert store.backend == "file (0600)"
    assert reason in store.describe()
    with pytest.raises(KeychainError):
        open_keystore(tmp_path, "keyring", find=find)


def test_a_keychain_that_hangs_is_given_up(tmp_path: Path) -> None:
    backend = HangingKeychain()
    store = open_keystore(tmp_path, "auto", find=finding(backend, timeout_s=0.05))
    assert "did not answer within 0.05 s" in store.describe()
    backend.released.set()


def test_keys_in_a_locked_keychain_are_not_replaced_by_new_ones(tmp_path: Path) -> None:
    backend = LockedKeychain()
    backend.locked = False
    open_keystore(tmp_path, "auto", find=finding(backend)).store(make_keys())
    backend.locked = True
    with pytest.raises(KeychainError, match="KeyringLocked") as refused:
        open_keystore(tmp_path, "auto", find=finding(backend)).load()
    assert refused.value.code == "keychain_unavailable"
    with pytest.raises(KeychainError):
        open_keystore(tmp_path, "auto", find=no_keychain)


def test_keys_stay_in_the_file_they_were_made_in(tmp_path: Path) -> None:
    open_keystore(tmp_path, "file").store(make_keys())
    store = open_keystore(tmp_path, "auto", find=finding(MemoryKeychain()))
    assert store.backend == "file (0600)"
    assert "they were made there" in store.describe()
    assert revealed(store.load()) == revealed(make_keys())


def test_looking_in_the_wrong_place_is_an_error_with_the_right_place(tmp_path: Path) -> None:
    open_keystore(tmp_path, "file").store(make_keys())
    with pytest.raises(KeystoreError, match="are not in: keychain") as refused:
        open_keystore(tmp_path, "keyring", find=finding(MemoryKeychain())).load()
    assert "DISPATCH_KEY_BACKEND=file" in (refused.value.hint or "")
    (tmp_path / "keys.json").unlink()
    with pytest.raises(KeystoreError, match="are not in: file") as refused:
        open_keystore(tmp_path, "file").load()
    assert refused.value.code == "keys_missing"
    assert "DISPATCH_KEY_BACKEND=keyring" in (refused.value.hint or "")
    with pytest.raises(KeystoreError, match="are not in: keychain") as refused:
        open_keystore(tmp_path, "auto", find=finding(MemoryKeychain())).load()
    assert refused.value.hint is None


def test_a_start_cut_short_keeps_its_identity(tmp_path: Path) -> None:
    open_keystore(tmp_path, "file").store(make_keys())
    (tmp_path / "device").unlink()
    store = open_keystore(tmp_path, "auto", find=finding(MemoryKeychain()))
    assert revealed(store.load()) == revealed(make_keys())
    store.store(make_keys())
    assert (tmp_path / "device").exists()


def test_keys_of_another_device_never_replace_ours(tmp_path: Path) -> None:
    store = open_keystore(tmp_path, "file")
    store.store(make_keys(1))
    with pytest.raises(KeystoreError, match="its keys stay"):
        store.store(make_keys(2))
    assert revealed(store.load()) == revealed(make_keys(1))


@pytest.mark.parametrize(
    "damage",
    [
        "{",
        "[]",
        "{}",
        '{"device": "00"}',
        '{"device": 1}',
        json.dumps({"device": make_keys().device.hex}),
        json.dumps(
            {"device": make_keys().device.hex, "genesis": "00" * 32, "signing": "01", "sealing": "xx"}
        ),
        json.dumps(
            {
                "device": make_keys().device.hex,
                "genesis": "00" * 32,
                "signing": "07" * 32,
                "sealing": "01" * 32,
            }
        ),
    ],
)
def test_damaged_keys_are_said_and_never_quoted(tmp_path: Path, damage: str) -> None:
    store = open_keystore(tmp_path, "file")
    store.store(make_keys())
    (tmp_path / "keys.json").write_text(damage)
    with pytest.raises(KeystoreError) as refused:
        store.load()
    assert refused.value.code == "keys_damaged"
    assert "xx" not in str(refused.value)


def test_a_device_file_that_names_none_is_damage(tmp_path: Path) -> None:
    store = open_keystore(tmp_path, "file")
    store.store(make_keys())
    for text in ("short", "é" * 64):
        (tmp_path / "device").write_text(text)
        with pytest.raises(KeystoreError, match="does not name a device"):
            store.load()


def test_a_keys_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    store = open_keystore(tmp_path, "file")
    store.store(make_keys())
    (tmp_path / "keys.json").chmod(0o644)
    with pytest.raises(HomeError, match="can be read or changed"):
        store.load()


@pytest.mark.parametrize("backend", [FailKeyring(), PlaintextKeyring()])
def test_a_keychain_that_does_not_protect_is_no_keychain(
    backend: KeyringBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring, "get_keyring", lambda: backend)
    with pytest.raises(KeychainError, match="no keychain that protects"):
        find_keychain()


def test_the_first_protecting_keychain_of_several_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    backends = [PlaintextKeyring(), MemoryKeychain()]
    monkeypatch.setattr(ChainerBackend, "backends", backends)
    monkeypatch.setattr(keyring, "get_keyring", ChainerBackend)
    assert find_keychain().name == "Memory"


def test_a_removal_of_nothing_is_nothing() -> None:
    Keychain(MemoryKeychain()).remove("dispatch/x", "recovery")


def test_a_file_home_never_imports_keyring(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path;"
        "from dispatch_daemon.adapters.keystore import open_keystore;"
        f"open_keystore(Path({str(tmp_path)!r}), 'file').load();"
        "assert 'keyring' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, env={**os.environ, "PYTHONPATH": os.getcwd()})
