"""Heeding the operator while the broker serves: whoever was disabled or removed is let go of within a second.

`dispatch-broker user` writes into the database from a process of its own; SQLite counts that, so the broker asks for one
number twice a second and looks closer only when it has changed.
"""

import asyncio
import sqlite3

from dispatch_broker.adapters.context import Context
from dispatch_broker.core.accounts import DISABLED
from dispatch_broker.core.records import Standing
from dispatch_broker.core.refusal import BrokerCode, Refusal

_LOOK_S = 0.5
_REMOVED = Refusal(BrokerCode.LOGIN_NEEDED, "the operator of this broker has removed this account")


async def heed(context: Context) -> None:
    """Let go of whoever may not be here, for as long as the broker runs."""
    seen = -1
    while True:
        try:
            now = context.store.changes()
            if now != seen:
                dismiss(context)
            seen = now
        except sqlite3.Error:  # the disk is away: whoever asks for anything is told
            seen = -1
        await asyncio.sleep(_LOOK_S)


def dismiss(context: Context) -> None:
    """End the sessions of people who are disabled, and of accounts that are not there any more."""
    accounts = context.store.accounts
    for member in context.bus.members():
        if accounts.standing(member.account.address) is Standing.DISABLED:
            member.dismiss(DISABLED)
        elif accounts.known(member.account.genesis) is None:
            member.dismiss(_REMOVED)
