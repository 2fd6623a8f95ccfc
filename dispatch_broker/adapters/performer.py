"""The one place where decisions become rows and words: first everything is durable, then connections hear of it."""

from collections.abc import Callable

from dispatch_broker.adapters.context import Context
from dispatch_broker.adapters.store_sqlite import StoreError
from dispatch_broker.core.effects import Effects, KeepLinks, OweMail, Row, Tell, Wake


def perform(context: Context, effects: Effects, done: Callable[[bool], None]) -> None:
    """Write the rows of one decision, then wake and tell whom it concerns, then call `done`.

    `done(True)` means that all of it is on the disk, `done(False)` that none of it is, because the disk refused.
    """
    rows: list[Row] = []
    words: list[Wake | Tell] = []
    for effect in effects:
        if isinstance(effect, Wake | Tell):
            words.append(effect)
        else:
            rows.append(effect)

    def settle(durable: bool) -> None:
        if durable:
            for word in words:
                _speak(context, word)
            for row in rows:
                if isinstance(row, KeepLinks):
                    context.bus.keep_only(row.genesis, row.devices)
                    if row.first:  # nobody knows a chain before its first link
                        contacts = context.store.edges.contacts(row.genesis, context.clock())
                        context.bus.grown(row.genesis, contacts)
            if context.on_mail is not None and any(isinstance(row, OweMail) for row in rows):
                context.on_mail()
        done(durable)

    try:
        context.store.perform(rows, context.clock())
    except StoreError:
        done(False)
        return
    context.store.when_durable(settle)


def _speak(context: Context, word: Wake | Tell) -> None:
    if isinstance(word, Wake):
        context.bus.wake(word.device)
    else:
        context.bus.tell(word.genesis, word.topic)
