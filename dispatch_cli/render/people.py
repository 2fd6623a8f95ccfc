"""People as they are named: an alias before an address, and how each one is known.

Three words say how: *compared* (you two compared), *token* (a secret was passed on), *unverified* (it came
by mail and nobody compared).
"""

from dispatch_cli.render.fields import Document, items, text
from dispatch_cli.render.text import visible
from dispatch_cli.render.words import is_own

ME = "me"


class People:
    """The contacts of this machine, by address."""

    def __init__(self, contacts: Document) -> None:
        self._alias: dict[str, str] = {}
        self._trust: dict[str, str] = {}
        for edge in items(contacts, "edges"):
            address = text(edge, "peer").lower()
            self._alias[address] = text(edge, "alias")
            self._trust[address] = text(edge, "trust")

    def name(self, address: str) -> str:
        """Return the alias, else the address; oneself is `me`."""
        return visible(self._alias.get(address.lower()) or address) or "somebody"

    def known(self, address: str) -> str:
        """Return the name and how the person is known: `Bob (compared)`."""
        trust = self._trust.get(address.lower())
        return f"{self.name(address)} ({visible(trust)})" if trust else self.name(address)


NOBODY = People({})


def party(dispatch: Document, side: str) -> str:
    """Return who stands on one side of a dispatch, `from` or `to`; of one's own task that is `me` on both."""
    return ME if is_own(dispatch) else text(dispatch, side)


def short(address: str) -> str:
    """Return the part of an address before its domain, for a sentence that has already named it whole."""
    return visible(address.partition("@")[0]) or visible(address)
