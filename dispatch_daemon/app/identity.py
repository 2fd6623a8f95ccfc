"""This home's identity: made at the first start, the same ever after.

The chain is written before the keys: a start that was cut off in between left a chain that nobody can sign
for and that nobody has seen, and the next start makes a new one. The other way round would leave keys
without the chain they belong to.
"""

import secrets
from collections.abc import Mapping
from dataclasses import replace

from dispatch_daemon.adapters.home import HomeError
from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.adapters.keystore import Keys, Keystore
from dispatch_daemon.app.clock import wall_ms
from dispatch_protocol.chain import Chain, read_links, write_links
from dispatch_protocol.encoding import JSON
from dispatch_protocol.keys import Genesis, RecoveryKey, SealingKey, SigningKey
from dispatch_protocol.links import IdentityKind, genesis_link

_CHAIN = "chain"
_JOINING = "joining_chain"
_JOINING_ACCOUNT = "joining_account"
_ACCOUNT = "account"
_REVOKED = "revoked_ms"


def open_identity(journal: Journal, keystore: Keystore) -> tuple[Keys, Chain]:
    """Return the keys and the chain of this home, making both if there are no keys yet.

    Raises:
        HomeError: `journal_damaged` if there are keys but not the chain they belong to, `device_revoked` if they were
            erased because another own device has ended this one.
    """
    if journal.meta(_REVOKED) is not None:
        keystore.erase()  # the life that heard of it may have ended before it could
        raise HomeError(
            "device_revoked",
            "this device was revoked by another one of its identity; its keys are erased",
            hint="move this home away, then: dispatch devices add CODE",
        )
    keys = keystore.load()
    if keys is None:
        return _make(journal, keystore)
    links = journal.meta(_CHAIN)
    if not isinstance(links, list):
        raise HomeError(
            "journal_damaged",
            "this home has keys but its journal does not know their identity; was journal.db removed?",
            hint="restore journal.db from a backup, or start with a new home",
        )
    joining = journal.meta(_JOINING)
    if isinstance(joining, list):
        links = _finish_joining(journal, keys, joining) or links
    return keys, Chain.verify(read_links(links), expect=keys.genesis)


def join(
    journal: Journal,
    keystore: Keystore,
    keys: Keys,
    chain: Chain,
    account: Mapping[str, JSON] | None = None,
) -> Keys:
    """Let this home belong to the identity that its device was added to, and to its account; what it was alone is given up.

    The device and its keys stay: nobody has ever seen the identity that they were made with. The chain is written first,
    beside the old one: a start after a power cut in between finds the keys on one side or on the other.
    """
    joined = replace(keys, genesis=chain.genesis, recovery=None)
    links = write_links(chain.links)
    journal.remember(_JOINING, links)
    journal.remember(_JOINING_ACCOUNT, None if account is None else dict(account))
    journal.database.commit()
    keystore.store(joined)
    _finish_joining(journal, joined, links)
    return joined


def erase(journal: Journal, keystore: Keystore, now_ms: int) -> None:
    """Give up this device for good: it was revoked, and says so from now on instead of starting."""
    journal.remember(_REVOKED, now_ms)
    journal.database.commit()
    keystore.erase()


def _finish_joining(journal: Journal, keys: Keys, joining: list[JSON]) -> list[JSON] | None:
    """Make the chain that was joined this home's own if its keys say so; else the joining had not come that far."""
    joined = Chain.verify(read_links(joining), expect=None).genesis == keys.genesis
    if joined:
        journal.remember(_CHAIN, joining)
        account = journal.meta(_JOINING_ACCOUNT)
        if account is not None:
            journal.remember(_ACCOUNT, account)
    journal.remember(_JOINING, None)
    journal.remember(_JOINING_ACCOUNT, None)
    journal.database.commit()
    return joining if joined else None


def _make(journal: Journal, keystore: Keystore) -> tuple[Keys, Chain]:
    signing = SigningKey(secrets.token_bytes(32))
    sealing = SealingKey(secrets.token_bytes(32))
    recovery = RecoveryKey(secrets.token_bytes(32))
    link = genesis_link(
        kind=IdentityKind.PERSON,
        device=signing,
        sealing=sealing.public,
        recovery=recovery,
        created_ms=wall_ms(),
        nonce=secrets.token_bytes(16),
    )
    chain = Chain.verify([link], expect=None)
    journal.remember(_CHAIN, write_links(chain.links))
    journal.database.commit()
    keys = Keys(signing=signing, sealing=(sealing,), recovery=recovery, genesis=Genesis(chain.genesis.raw))
    keystore.store(keys)
    return keys, chain
