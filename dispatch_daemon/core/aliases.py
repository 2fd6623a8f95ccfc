"""The names that a human gives to contacts: one spelling, and nobody can take one for anybody or anything else."""

import unicodedata
from collections.abc import Iterable

from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.trust_records import ContactRecord

ALIAS_CHARS = 64


def alias(typed: str, others: Iterable[ContactRecord]) -> str:
    """Return the name that a human gives to a contact, if nobody can take it for anybody else.

    Raises:
        ServiceError: `invalid`, with the reason.
    """
    name = unicodedata.normalize("NFC", typed.strip())
    if not 0 < len(name) <= ALIAS_CHARS or not name.isprintable():
        raise ServiceError("invalid", f"an alias has 1 to {ALIAS_CHARS} characters that can all be seen")
    if name.casefold() == "me" or "@" in name or name.startswith("-"):
        raise ServiceError("invalid", "an alias is no address, no option and not `me`")
    for other in others:
        if name.casefold() in ((other.alias or "").casefold(), other.address.casefold()):
            raise ServiceError("invalid", f"{other.address} is called {name} already")
    return name
