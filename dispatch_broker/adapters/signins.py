"""The sign-ins that wait for a proof, in memory: none outlives its quarter of an hour, nor this process.

Nothing of them is ever on a disk. Whoever was in the middle of one when the broker stopped begins again.
"""

import hashlib
import secrets
from collections import OrderedDict

from dispatch_broker.core.signin import (
    MAIL_CODE_DIGITS,
    SIGN_IN_MS,
    USER_CODE_ALPHABET,
    USER_CODE_CHARS,
    SignIn,
    SignInState,
)
from dispatch_protocol.keys import DeviceId, Genesis


def fresh_mail_code() -> str:
    """Draw the code of one mail."""
    return f"{secrets.randbelow(10**MAIL_CODE_DIGITS):0{MAIL_CODE_DIGITS}d}"


def _hidden(secret: str) -> bytes:
    """Return what a secret is found by: looking one up must not tell how much of a guess was right."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()


class SignIns:
    """At most `limit` sign-ins, each found by its device's long code, by its short one, or by a provider's state."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._by_code: OrderedDict[str, SignIn] = OrderedDict()  # oldest first: all live equally long
        self._by_device: dict[bytes, str] = {}
        self._hidden: dict[str, bytes] = {}
        self._by_state: dict[bytes, str] = {}

    def begin(
        self, *, genesis: Genesis, device: DeviceId, device_name: str, wanted: str | None, now_ms: int
    ) -> tuple[str, SignIn] | None:
        """Begin a sign-in and return its device code with it; None if too many wait already."""
        self._forget_the_over(now_ms)
        if len(self._by_code) >= self._limit:
            return None
        sign_in = SignIn(
            user_code=self._fresh_user_code(),
            genesis=genesis,
            device=device,
            device_name=device_name,
            wanted=wanted,
            expires_ms=now_ms + SIGN_IN_MS,
        )
        device_code = secrets.token_urlsafe(32)
        self._by_code[sign_in.user_code] = sign_in
        self._hidden[sign_in.user_code] = _hidden(device_code)
        self._by_device[_hidden(device_code)] = sign_in.user_code
        return device_code, sign_in

    def of_device(self, device_code: str) -> SignIn | None:
        """Return the sign-in of the device that holds this code."""
        user_code = self._by_device.get(_hidden(device_code))
        return None if user_code is None else self._by_code[user_code]

    def shown_as(self, user_code: str, now_ms: int) -> SignIn | None:
        """Return the sign-in that still waits under a short code."""
        sign_in = self._by_code.get(user_code)
        if sign_in is None or sign_in.expires_ms <= now_ms or sign_in.state is not SignInState.WAITING:
            return None
        return sign_in

    def led_by(self, state: str, now_ms: int) -> SignIn | None:
        """Return the sign-in that was sent to the provider with this state."""
        user_code = self._by_state.get(_hidden(state))
        return None if user_code is None else self.shown_as(user_code, now_ms)

    def keep(self, sign_in: SignIn) -> None:
        """Remember how far one got, unless it ended meanwhile."""
        known = self._by_code.get(sign_in.user_code)
        if known is None:
            return
        self._forget_state(known)
        self._by_code[sign_in.user_code] = sign_in
        if sign_in.leg is not None and sign_in.leg.state is not None:
            self._by_state[_hidden(sign_in.leg.state)] = sign_in.user_code

    def end(self, sign_in: SignIn) -> None:
        """Forget one: its token was handed out, or it was refused and its device knows."""
        known = self._by_code.pop(sign_in.user_code, None)
        if known is not None:
            self._forget_state(known)
            del self._by_device[self._hidden.pop(sign_in.user_code)]

    def _forget_state(self, known: SignIn) -> None:
        if known.leg is not None and known.leg.state is not None:
            self._by_state.pop(_hidden(known.leg.state), None)

    def _fresh_user_code(self) -> str:
        while True:
            code = "".join(secrets.choice(USER_CODE_ALPHABET) for _ in range(USER_CODE_CHARS))
            if code not in self._by_code:
                return code

    def _forget_the_over(self, now_ms: int) -> None:
        while self._by_code:
            oldest = next(iter(self._by_code.values()))
            if oldest.expires_ms > now_ms:
                return
            self.end(oldest)
