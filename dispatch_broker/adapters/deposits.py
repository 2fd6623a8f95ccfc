"""Deposits: reads an envelope's clear header, gathers what decides on it, and asks the core."""

import logging

from dispatch_broker.adapters.context import Context
from dispatch_broker.adapters.log import say, short
from dispatch_broker.core.effects import Effects
from dispatch_broker.core.records import Account
from dispatch_broker.core.refusal import BrokerCode, Refusal
from dispatch_broker.core.routing import Deposit, Tally, admit
from dispatch_protocol.envelope import Envelope, EnvelopeClass
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.keys import DeviceId

_log = logging.getLogger(__name__)
_UNCOUNTED = Tally(tasks=0, counted=False)


def receive(context: Context, account: Account, device: DeviceId, raw: bytes) -> Effects | Refusal:
    """Decide on one deposit of this device."""
    try:
        header = Envelope.decode(raw).header
    except MalformedError as error:
        return Refusal(BrokerCode.MALFORMED, error.detail)
    store, now_ms = context.store, context.clock()
    counts = header.klass is EnvelopeClass.TASK
    deposit = Deposit(
        raw=raw,
        header=header,
        depositor=account,
        device=device,
        edge=store.edges.edge(header.edge),
        mailboxes=store.mailboxes.look(header.devices, header.digest),
        deposited=store.accounts.deposited(account.genesis),
        tally=store.edges.tally(header.edge, header.digest, now_ms) if counts else _UNCOUNTED,
    )
    say(_log, "deposit", logging.DEBUG, device=short(device), digest=short(header.digest), size=len(raw))
    return admit(deposit, context.settings.quotas, now_ms)
