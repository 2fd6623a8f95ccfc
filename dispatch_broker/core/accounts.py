"""Who may sign in, and whose session may open.

An account is an identity's fingerprint with one proven address. A token opens nothing by itself: it only lets a device
that proves its key for the first time bring its chain up to an account. Afterwards the key alone is asked for.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from dispatch_broker.core.effects import (
    Effect,
    Effects,
    KeepCounter,
    KeepLinks,
    OpenAccount,
    Tell,
    Topic,
)
from dispatch_broker.core.records import Account, Claim, Standing
from dispatch_broker.core.refusal import BrokerCode, Refusal
from dispatch_protocol.keys import DeviceId, Genesis
from dispatch_protocol.limits import ADDRESS_CHARS

# ASCII only: two addresses that look the same to a person must be the same to the broker.
_ADDRESS = re.compile(
    r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*"
)


def normal_address(text: str) -> str | None:
    """Return the one spelling of an e-mail address, or None when it is none; case never distinguishes people."""
    if len(text) > ADDRESS_CHARS or not text.isascii():
        return None
    address = text.lower()
    return address if _ADDRESS.fullmatch(address) else None


class SignupMode(StrEnum):
    """Who may open an account."""

    CLOSED = "closed"
    DOMAIN = "domain"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Signup:
    """The operator's choice of who may open an account; `domain` is empty unless the mode asks for one."""

    mode: SignupMode
    domain: str = ""

    @classmethod
    def parse(cls, text: str) -> "Signup | None":
        """Read `closed`, `open` or `domain:EXAMPLE.ORG`; None for anything else."""
        if text in {SignupMode.CLOSED, SignupMode.OPEN}:
            return cls(SignupMode(text))
        mode, _, domain = text.lower().partition(":")
        if mode == SignupMode.DOMAIN and normal_address(f"anybody@{domain}"):
            return cls(SignupMode.DOMAIN, domain)
        return None

    def admits(self, address: str) -> bool:
        """Whether somebody with this address may open an account."""
        if self.mode is SignupMode.DOMAIN:
            return address.rpartition("@")[2] == self.domain
        return self.mode is SignupMode.OPEN


DISABLED = Refusal(
    BrokerCode.ACCOUNT_DISABLED, "the operator of this broker lets nobody with this address in"
)


def is_expected(address: str, namesake: Account | None, signup: Signup, standing: Standing | None) -> bool:
    """Whether somebody with this address may sign in here at all, which nobody is told before it is proven."""
    if standing is Standing.DISABLED:
        return False
    return namesake is not None or standing is Standing.ADMITTED or signup.admits(address)


def sign_in(
    claim: Claim,
    namesake: Account | None,
    known: Account | None,
    signup: Signup,
    standing: Standing | None = None,
) -> Refusal | None:
    """Refuse a login, or None: `namesake` is the account with this address, `known` the one with this identity."""
    if standing is Standing.DISABLED:
        return DISABLED
    if namesake is not None and namesake.genesis != claim.genesis:
        return Refusal(
            BrokerCode.PAIR_NEEDED, "this address belongs to another identity; pair this device with it"
        )
    if known is not None and known.address != claim.address:
        return Refusal(BrokerCode.ADDRESS_MISMATCH, "this identity is signed in here under another address")
    if known is None and standing is not Standing.ADMITTED and not signup.admits(claim.address):
        return Refusal(BrokerCode.SIGNUP_CLOSED, "this broker opens no account for this address")
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """Everything that decides on a session whose proof has been verified.

    `claim` is what a valid token says, None without one; `token_shown` tells a bad token from none. `news` are the links
    that follow the `known_links` which stay of those that the broker holds, `devices` those active after the last of
    them, and `foreign_devices` says that one of these belongs to another identity here. `standing` is the operator's word about
    the address, and `signed_out` says that this device has signed out since its last session.
    """

    genesis: Genesis
    device: DeviceId
    counter: int
    claim: Claim | None
    token_shown: bool
    account: Account | None
    namesake: Account | None
    known_links: int
    news: tuple[bytes, ...]
    devices: tuple[DeviceId, ...]
    foreign_devices: bool
    last_counter: int
    connections: int
    standing: Standing | None = None
    signed_out: bool = False


def greet(
    hello: Hello, *, signup: Signup, connections: int, now_ms: int
) -> tuple[Account, Effects] | Refusal:
    """Decide whether this device's session opens; returns whose it is and what is to be remembered of it."""
    account = _account_of(hello, signup)
    if isinstance(account, Refusal):
        return account
    if hello.device not in hello.devices:
        return Refusal(BrokerCode.DEVICE_REVOKED, "this device is not active in its identity's chain")
    if hello.foreign_devices:
        return Refusal(BrokerCode.ID_COLLISION, "a device of this chain belongs to another identity")
    if hello.counter <= hello.last_counter:
        return Refusal(
            BrokerCode.COUNTER_REUSED,
            "a session with this counter was opened before: the home was cloned or rolled back",
        )
    if hello.connections >= connections:
        return Refusal(
            BrokerCode.QUOTA, f"this account has {hello.connections} connections, as many as it may"
        )
    effects: list[Effect] = []
    if hello.account is None:
        effects.append(OpenAccount(account, now_ms))
    if hello.news:
        effects += grown(hello.genesis, hello.known_links, hello.news, hello.devices)
    effects.append(KeepCounter(hello.device, hello.counter))
    return account, tuple(effects)


def grow(
    genesis: Genesis,
    known_links: int,
    news: tuple[bytes, ...],
    devices: tuple[DeviceId, ...],
    *,
    foreign_devices: bool,
) -> Effects | Refusal:
    """Decide on links that a device tells while its session is open; `news` follow the `known_links` that stay."""
    if foreign_devices:
        return Refusal(BrokerCode.ID_COLLISION, "a device of this chain belongs to another identity")
    return grown(genesis, known_links, news, devices) if news else ()


def grown(
    genesis: Genesis, known_links: int, news: tuple[bytes, ...], devices: tuple[DeviceId, ...]
) -> Effects:
    """Keep what a chain has become, and let the identity's other devices know; before its first link there are none."""
    kept = KeepLinks(genesis, known_links, news, devices)
    return (kept, Tell(genesis, Topic.CHAIN)) if known_links else (kept,)


def _account_of(hello: Hello, signup: Signup) -> Account | Refusal:
    """Return the account this session belongs to, opened by a token if it has to be."""
    claim = hello.claim
    if claim is None:
        if hello.account is not None and not hello.signed_out:
            return DISABLED if hello.standing is Standing.DISABLED else hello.account
        if hello.token_shown:
            return Refusal(
                BrokerCode.TOKEN_INVALID, "the login token is not valid, or its time is over; sign in again"
            )
        return Refusal(BrokerCode.LOGIN_NEEDED, "this identity is not signed in here; sign in first")
    if (claim.genesis, claim.device) != (hello.genesis, hello.device):
        return Refusal(BrokerCode.TOKEN_INVALID, "the login token was made for another device")
    return (
        sign_in(claim, hello.namesake, hello.account, signup, hello.standing)
        or hello.account
        or Account(claim.genesis, claim.address)
    )
