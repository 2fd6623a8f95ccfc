"""This home's identity: made at the first start, the same ever after.

The chain is written before the keys: a start that was cut off in between left a chain that nobody can sign
for and that nobody has seen, and the next start makes a new one. The other way round would leave keys
without the chain they belong to.
"""

import secrets

from dispatch_daemon.adapters.home import HomeError
from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.adapters.keystore import Keys, Keystore
from dispatch_daemon.app.clock import wall_ms
from dispatch_protocol.chain import Chain, read_links, write_links
from dispatch_protocol.keys import Genesis, RecoveryKey, SealingKey, SigningKey
from dispatch_protocol.links import IdentityKind, genesis_link

_CHAIN = "chain"


def open_identity(journal: Journal, keystore: Keystore) -> tuple[Keys, Chain]:
    """Return the keys and the chain of this home, making both if there are no keys yet.

    Raises:
        HomeError: `journal_damaged` if there are keys but not the chain they belong to.
    """
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
    return keys, Chain.verify(read_links(links), expect=keys.genesis)


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
