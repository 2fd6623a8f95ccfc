"""A home joins another identity, or gives itself up, and its daemon may end at any step of either."""

from pathlib import Path

import pytest

from dispatch_daemon.adapters.home import HomeError
from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.adapters.keystore import KEYS_NAME, Keystore, open_keystore
from dispatch_daemon.app.clock import wall_ms
from dispatch_daemon.app.identity import erase, join, open_identity
from dispatch_daemon.app.own_chain import OwnChain
from dispatch_protocol.chain import Chain
from dispatch_protocol.links import ALL_ROLES, AddDeviceLink, RevokeDeviceLink, sign_link
from tests.support.ageing_device import Death
from tests.support.documents import ALICE
from tests.support.lone_device import LoneDevice

ACCOUNT = {"email": "alice@example.org", "broker": "https://courier.example"}


class Home:
    """One home over several lives."""

    def __init__(self, place: Path) -> None:
        place.chmod(0o700)
        self.place = place
        self.live()

    def live(self) -> None:
        self.keystore = open_keystore(self.place, "file")
        self.journal = Journal(self.place / "journal.db", boot="home")
        self.keys, self.chain = open_identity(self.journal, self.keystore)

    def die(self) -> None:
        """End this life without a word: what was not committed is lost."""
        self.journal.database._connection.close()

    def added(self) -> Chain:
        """Return Alice's chain with this home's device in it."""
        link = AddDeviceLink(
            prev=ALICE.chain.head,
            device=self.keys.device,
            sealing=self.keys.sealing[0].public,
            roles=ALL_ROLES,
            created_ms=wall_ms(),
            nonce=bytes(16),
        )
        return ALICE.chain.extend([sign_link(link, (ALICE.sign, self.keys.signing))])


@pytest.mark.parametrize("kept", [True, False])
def test_home_that_died_while_it_joined_is_on_one_side_or_on_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: bool
) -> None:
    home = Home(tmp_path)
    alone, chain = home.chain.genesis, home.added()
    honest = Keystore.store

    def store(self: Keystore, keys: object) -> None:
        if kept:
            honest(self, keys)  # type: ignore[arg-type]  # planted
        raise Death

    with monkeypatch.context() as planted:
        planted.setattr(Keystore, "store", store)
        with pytest.raises(Death):
            join(home.journal, home.keystore, home.keys, chain, ACCOUNT)
    home.die()
    home.live()
    assert home.chain.genesis == (chain.genesis if kept else alone)
    assert home.journal.meta("account") == (ACCOUNT if kept else None), "it knows where it is signed in"
    if not kept:
        join(home.journal, home.keystore, home.keys, chain, ACCOUNT)
        home.die()
        home.live()
        assert (home.chain.head, home.journal.meta("account")) == (chain.head, ACCOUNT)
    home.die()


def test_device_that_died_before_it_had_erased_its_keys_erases_them_at_its_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path)

    def dying(self: Keystore) -> None:
        raise Death

    with monkeypatch.context() as planted:
        planted.setattr(Keystore, "erase", dying)
        with pytest.raises(Death):
            erase(home.journal, home.keystore, wall_ms())
    home.die()
    assert (tmp_path / KEYS_NAME).exists()
    for _ in range(2):
        with pytest.raises(HomeError) as refused:
            home.live()
        assert refused.value.code == "device_revoked"
        home.die()
        assert not (tmp_path / KEYS_NAME).exists()


async def test_device_that_died_between_learning_of_its_end_and_obeying_it_obeys_at_its_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dying(self: OwnChain) -> None:
        raise Death

    async with LoneDevice.paired(tmp_path) as device:
        end = RevokeDeviceLink(
            prev=device.chain.head, device=device.own.device, created_ms=wall_ms(), nonce=bytes(16)
        )
        told = device.chain.extend([sign_link(end, (device.other,))])
        with monkeypatch.context() as planted:
            planted.setattr(OwnChain, "obey", dying)
            with pytest.raises(Death):
                await device.own_chain.take(told.links)
        assert (tmp_path / KEYS_NAME).exists()
    again = LoneDevice(tmp_path)
    await again.own_chain.obey()
    assert again.stopped
    assert not (tmp_path / KEYS_NAME).exists()
    again.journal.database.close()
