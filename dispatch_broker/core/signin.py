"""One sign-in: a device waits for its token while a person proves an address, in a terminal or on the broker's page.

It is the device authorization grant (RFC 8628). The device holds a long secret and shows a short code; whoever types
the short code where the address is proven says yes to that one device. Every answer about a mailed code is the same
whether or not the address is known here, so that nobody learns who has an account.
"""

import hmac
import re
from dataclasses import dataclass, field, replace
from enum import StrEnum

from dispatch_broker.core.refusal import BrokerCode, Refusal
from dispatch_protocol.keys import DeviceId, Genesis

USER_CODE_ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"  # no vowels, so no words (RFC 8628, section 6.1)
USER_CODE_CHARS = 8
MAIL_CODE_DIGITS = 8
SIGN_IN_MS = 15 * 60_000
MAIL_CODE_MS = 10 * 60_000
INTERVAL_MS = 5_000
_SLOWER_MS = 5_000
_TRIES = 5
_MAILS = 3
_DEVICE_NAME_CHARS = 64
_UNNAMED = "a device without a name"
_NOT_A_LETTER = re.compile(r"[\s-]+")

_OVER = Refusal(BrokerCode.EXPIRED_TOKEN, "this sign-in is over; begin again")
_DENIED = Refusal(BrokerCode.ACCESS_DENIED, "this sign-in was refused; begin again if that was not meant")
_PENDING = Refusal(BrokerCode.AUTHORIZATION_PENDING, "nobody has proven the address yet")
_SLOW_DOWN = Refusal(BrokerCode.SLOW_DOWN, "asked too often; wait five seconds longer each time from now on")
_ANOTHER = Refusal(BrokerCode.ADDRESS_MISMATCH, "this device asked to be signed in under another address")
_UNREAD = Refusal(BrokerCode.RATE_LIMITED, "no more codes are mailed for this sign-in; begin again")
_ANOTHER_BROWSER = Refusal(
    BrokerCode.BROWSER_REFUSED, "this sign-in was begun in another browser; begin again"
)
_UNPROVEN = Refusal(BrokerCode.ACCESS_DENIED, "the provider has not spoken for an address; begin again")
_NO_CODE = Refusal(BrokerCode.CODE_WRONG, "no code was mailed, or its time is over; ask for another one")


class SignInState(StrEnum):
    """Where a sign-in stands; that its time is over is computed from the clock and never stored."""

    WAITING = "waiting"
    PROVEN = "proven"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class MailedCode:
    """The code on its way to an address, and how often it may still be typed wrong."""

    address: str
    code: str = field(repr=False)
    expires_ms: int
    tries_left: int = _TRIES


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderLeg:
    """What must come back from an OpenID provider: `state` by the browser that holds `binding`, `nonce` in the token.

    `state` is None once it came back; `vouched` is the address that the provider then spoke for.
    """

    state: str | None = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    binding: str = field(repr=False)
    vouched: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """One device that waits: `wanted` is the address it asked for (None is any), `address` the one that was proven."""

    user_code: str
    genesis: Genesis
    device: DeviceId
    device_name: str
    wanted: str | None
    expires_ms: int
    interval_ms: int = INTERVAL_MS
    polled_ms: int | None = None
    state: SignInState = SignInState.WAITING
    address: str | None = None
    mailed: MailedCode | None = None
    mails: int = 0
    leg: ProviderLeg | None = None


def read_user_code(text: str) -> str | None:
    """Return the one spelling of a code as somebody typed it, or None if it is none."""
    code = _NOT_A_LETTER.sub("", text).upper()
    if len(code) != USER_CODE_CHARS or not set(code) <= set(USER_CODE_ALPHABET):
        return None
    return code


def spoken(user_code: str) -> str:
    """Return a code as people read it: in two halves."""
    half = USER_CODE_CHARS // 2
    return f"{user_code[:half]}-{user_code[half:]}"


def read_device_name(text: str) -> str:
    """Return what a device calls itself, without anything that could not be seen on a page."""
    seen = "".join(letter for letter in text if letter.isprintable()).strip()
    return seen[:_DEVICE_NAME_CHARS] or _UNNAMED


def poll(sign_in: SignIn, now_ms: int) -> tuple[SignIn, Refusal | None]:
    """Answer a device that asks for its token: None is yes, for the address that was proven (RFC 8628, section 3.5)."""
    hurried = sign_in.polled_ms is not None and now_ms < sign_in.polled_ms + sign_in.interval_ms
    asked = replace(sign_in, polled_ms=now_ms)
    over = _ended(sign_in, now_ms)
    if over is not None:
        return asked, over
    if sign_in.state is SignInState.PROVEN:
        return asked, None
    if hurried:
        return replace(asked, interval_ms=sign_in.interval_ms + _SLOWER_MS), _SLOW_DOWN
    return asked, _PENDING


def mail_code(sign_in: SignIn, address: str, code: str, now_ms: int) -> SignIn | Refusal:
    """Let a code go out to an address; an older one is worth nothing from now on."""
    over = _closed(sign_in, now_ms)
    if over is not None:
        return over
    if sign_in.wanted is not None and address != sign_in.wanted:
        return _ANOTHER
    if sign_in.mails >= _MAILS:
        return _UNREAD
    mailed = MailedCode(address=address, code=code, expires_ms=min(sign_in.expires_ms, now_ms + MAIL_CODE_MS))
    return replace(sign_in, mailed=mailed, mails=sign_in.mails + 1)


def enter_code(sign_in: SignIn, typed: str, now_ms: int) -> tuple[SignIn, Refusal | None]:
    """Prove the address by the code that was mailed to it; after five wrong ones the sign-in is refused."""
    over = _closed(sign_in, now_ms)
    if over is not None:
        return sign_in, over
    mailed = sign_in.mailed
    if mailed is None or mailed.expires_ms <= now_ms:
        return sign_in, _NO_CODE
    if hmac.compare_digest(_digits(typed), mailed.code.encode()):
        return _proven(sign_in, mailed.address), None
    left = mailed.tries_left - 1
    if not left:
        return deny(sign_in), _DENIED
    words = "that is not the code; it can be tried once more"
    if left > 1:
        words = f"that is not the code; it can be tried {left} more times"
    return replace(sign_in, mailed=replace(mailed, tries_left=left)), Refusal(BrokerCode.CODE_WRONG, words)


def lead(sign_in: SignIn, leg: ProviderLeg, now_ms: int) -> SignIn | Refusal:
    """Send the person to the provider; an older way there leads nowhere from now on."""
    return _closed(sign_in, now_ms) or replace(sign_in, leg=leg)


def come_back(sign_in: SignIn, binding: str, now_ms: int) -> tuple[SignIn, ProviderLeg] | Refusal:
    """Take the person back from the provider, once, in the browser that went there; returns what must be answered."""
    leg = sign_in.leg
    over = _closed(sign_in, now_ms)
    if over is not None or leg is None or leg.state is None:
        return over or _OVER
    if not _is_same(binding, leg.binding):
        return _ANOTHER_BROWSER
    return replace(sign_in, leg=replace(leg, state=None)), leg


def vouch(sign_in: SignIn, leg: ProviderLeg, address: str, now_ms: int) -> SignIn | Refusal:
    """Take the provider's word for an address; the person says yes to it before it counts.

    `leg` is the one that was taken back: another, begun while the provider was asked, is not answered by this word.
    """
    over = _closed(sign_in, now_ms)
    if over is not None:
        return over
    if sign_in.leg != replace(leg, state=None):
        return _OVER
    if sign_in.wanted is not None and address != sign_in.wanted:
        return _ANOTHER
    return replace(sign_in, leg=replace(sign_in.leg, vouched=address))


def prove(sign_in: SignIn, binding: str, now_ms: int) -> SignIn | Refusal:
    """Let the device in under the address that the provider vouched for, in the browser that it was said to."""
    over = _closed(sign_in, now_ms)
    if over is not None:
        return over
    if sign_in.leg is None or sign_in.leg.vouched is None:
        return _UNPROVEN
    if not _is_same(binding, sign_in.leg.binding):
        return _ANOTHER_BROWSER
    return _proven(sign_in, sign_in.leg.vouched)


def deny(sign_in: SignIn) -> SignIn:
    """Refuse the device: a person said no, or too many codes were wrong."""
    return replace(sign_in, state=SignInState.REFUSED, mailed=None, leg=None)


def _proven(sign_in: SignIn, address: str) -> SignIn:
    return replace(sign_in, state=SignInState.PROVEN, address=address, mailed=None, leg=None)


def _ended(sign_in: SignIn, now_ms: int) -> Refusal | None:
    if sign_in.state is SignInState.REFUSED:
        return _DENIED
    return _OVER if sign_in.expires_ms <= now_ms else None


def _closed(sign_in: SignIn, now_ms: int) -> Refusal | None:
    """Say why nothing can be proven any more: it ended, or it was proven already."""
    return _ended(sign_in, now_ms) or (_OVER if sign_in.state is SignInState.PROVEN else None)


def _digits(typed: str) -> bytes:
    """Return what somebody typed without the spaces that a mail program or a person put in."""
    return _NOT_A_LETTER.sub("", typed).encode("utf-8", "replace")


def _is_same(said: str, kept: str) -> bool:
    return hmac.compare_digest(said.encode("utf-8", "replace"), kept.encode())
