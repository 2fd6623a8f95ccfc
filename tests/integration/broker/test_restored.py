"""A database that went back in time begins another epoch, however it was put in place; devices send again then."""

import contextlib
import sqlite3
from pathlib import Path

import pytest

from tests.support.relay import broker_here


def backed_up(database: Path) -> bytes:
    """Make a backup beside a running broker, as its operator does, and return it."""
    backup = database.with_name("monday.db")
    with (
        contextlib.closing(sqlite3.connect(database)) as of,
        contextlib.closing(sqlite3.connect(backup)) as to,
    ):
        of.backup(to)
    return backup.read_bytes()


async def test_an_epoch_lasts_as_long_as_the_database_goes_on(tmp_path, alice):
    data, epochs = tmp_path / "broker", []
    for _ in range(3):
        async with broker_here(data) as broker, alice.signed_in(broker.url) as wire:
            epochs.append(wire.welcome.epoch)
            assert wire.challenge.epoch == wire.welcome.epoch
    assert len(set(epochs)) == 1
    (data / "broker.db").rename(data / "backup.db")
    async with broker_here(data) as broker, alice.signed_in(broker.url) as wire:
        epochs.append(wire.welcome.epoch)
    (data / "broker.db").unlink()
    (data / "broker.db").write_bytes((data / "backup.db").read_bytes())
    async with broker_here(data) as broker, alice.connected(broker.url) as wire:
        epochs.append(wire.welcome.epoch)
    assert len(set(epochs)) == 3


async def test_a_backup_that_was_written_over_the_old_file_is_noticed_each_time(tmp_path, alice, bob):
    data, epochs = tmp_path / "broker", []
    database = data / "broker.db"
    async with broker_here(data) as broker, alice.signed_in(broker.url) as wire:
        epochs.append(wire.welcome.epoch)
        backup = backed_up(database)
        async with bob.signed_in(broker.url):  # written since, in the same life of the broker
            pass
    inode = database.stat().st_ino
    for _ in range(2):
        database.write_bytes(backup)
        assert database.stat().st_ino == inode
        async with broker_here(data) as broker, alice.connected(broker.url) as wire:
            epochs.append(wire.welcome.epoch)
        async with broker_here(data) as broker, alice.connected(broker.url) as wire:
            assert wire.welcome.epoch == epochs[-1]  # once, not at every start from now on
    assert len(set(epochs)) == 3


@pytest.mark.parametrize("damage", [b"", b"nonsense", b"9" * 21])
async def test_an_epoch_ends_where_what_was_seen_cannot_be_read(tmp_path, alice, damage):
    """After a whole machine was restored nothing shows; removing the file is how its operator says so."""
    data, epochs = tmp_path / "broker", []
    async with broker_here(data) as broker, alice.signed_in(broker.url) as wire:
        epochs.append(wire.welcome.epoch)
    (data / "broker.generation").write_bytes(damage)
    for _ in range(2):
        async with broker_here(data) as broker, alice.connected(broker.url) as wire:
            epochs.append(wire.welcome.epoch)
    assert epochs[0] != epochs[1] == epochs[2]
