"""Every reason for which the broker says no, as one closed list with its HTTP status.

The words are for programs and stay; sentences for people travel beside them. Reasons that concern a signed document
itself (a bad signature, a broken chain) keep the protocol's own words.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class BrokerCode(StrEnum):
    """Why the broker refuses."""

    MALFORMED = "malformed"  # bytes or arguments that cannot be read
    UNKNOWN_OP = "unknown_op"  # a call that this broker does not know
    LOGIN_NEEDED = "login_needed"  # this identity has no account here, or the token is over
    TOKEN_INVALID = "token_invalid"
    SIGNATURE_INVALID = "signature_invalid"  # a document that its signer did not sign
    SIGNUP_CLOSED = "signup_closed"  # the operator's choice
    ACCOUNT_DISABLED = "account_disabled"  # the operator's choice too
    SIGN_IN_UNAVAILABLE = "sign_in_unavailable"  # this broker has no way to prove an address
    AUTHORIZATION_PENDING = "authorization_pending"  # RFC 8628, section 3.5, with the three that follow
    SLOW_DOWN = "slow_down"
    EXPIRED_TOKEN = "expired_token"
    ACCESS_DENIED = "access_denied"
    CODE_WRONG = "code_wrong"  # not the code that was mailed
    DEV_ONLY_DIRECT = "dev_only_direct"  # the development login was asked for from elsewhere
    BROWSER_REFUSED = "browser_refused"  # a page in a browser tries to speak as a device
    NO_EDGE = "no_edge"
    EDGE_REVOKED = "edge_revoked"
    EDGE_EXPIRED = "edge_expired"
    WRONG_DEVICE = "wrong_device"  # an envelope that claims another device than the one which deposits it
    WRONG_PARTY = "wrong_party"  # the other side of this invitation or edge must do that
    DEVICE_REVOKED = "device_revoked"  # not active in its chain
    NOT_FOUND = "not_found"
    PAIR_NEEDED = "pair_needed"  # the address belongs to another identity already
    ADDRESS_MISMATCH = "address_mismatch"  # the identity is known here under another address
    COUNTER_REUSED = "counter_reused"  # a home that was cloned or rolled back
    DEVICE_UNKNOWN = "device_unknown"  # sealed to a device that the recipient does not have
    ID_COLLISION = "id_collision"  # somebody else deposited under this digest
    REPLACED = "replaced"  # the same device has opened a newer session
    EDGE_EXISTS = "edge_exists"  # that trust is there already
    NOT_MAILED = "not_mailed"  # only what is mailed may be accepted without its token
    NOT_PENDING = "not_pending"  # decided, ended or expired before
    TOO_LARGE = "too_large"
    OFFSET_WRONG = "offset_wrong"  # bytes of a blob that do not go on where the last ones ended
    BLOB_ADDRESS = "blob_address"  # bytes that are not those which their address names
    QUOTA = "quota"
    DAILY_LIMIT = "daily_limit"
    RATE_LIMITED = "rate_limited"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    MEDIA_TYPE = "media_type"
    UPGRADE_NEEDED = "upgrade_needed"  # this address speaks WebSocket only
    UNAVAILABLE = "unavailable"  # the broker cannot store anything now
    DRAINING = "draining"  # it is about to stop


STATUS: Mapping[BrokerCode, int] = MappingProxyType(
    {
        BrokerCode.MALFORMED: 400,
        BrokerCode.UNKNOWN_OP: 400,
        BrokerCode.LOGIN_NEEDED: 401,
        BrokerCode.TOKEN_INVALID: 401,
        BrokerCode.SIGNATURE_INVALID: 400,
        BrokerCode.SIGNUP_CLOSED: 403,
        BrokerCode.ACCOUNT_DISABLED: 403,
        BrokerCode.SIGN_IN_UNAVAILABLE: 403,
        BrokerCode.AUTHORIZATION_PENDING: 400,
        BrokerCode.SLOW_DOWN: 400,
        BrokerCode.EXPIRED_TOKEN: 400,
        BrokerCode.ACCESS_DENIED: 400,
        BrokerCode.CODE_WRONG: 401,
        BrokerCode.DEV_ONLY_DIRECT: 403,
        BrokerCode.BROWSER_REFUSED: 403,
        BrokerCode.NO_EDGE: 403,
        BrokerCode.EDGE_REVOKED: 403,
        BrokerCode.EDGE_EXPIRED: 403,
        BrokerCode.WRONG_DEVICE: 403,
        BrokerCode.WRONG_PARTY: 403,
        BrokerCode.DEVICE_REVOKED: 403,
        BrokerCode.NOT_FOUND: 404,
        BrokerCode.METHOD_NOT_ALLOWED: 405,
        BrokerCode.PAIR_NEEDED: 409,
        BrokerCode.ADDRESS_MISMATCH: 409,
        BrokerCode.COUNTER_REUSED: 409,
        BrokerCode.DEVICE_UNKNOWN: 409,
        BrokerCode.ID_COLLISION: 409,
        BrokerCode.REPLACED: 409,
        BrokerCode.EDGE_EXISTS: 409,
        BrokerCode.NOT_MAILED: 409,
        BrokerCode.NOT_PENDING: 409,
        BrokerCode.OFFSET_WRONG: 409,
        BrokerCode.TOO_LARGE: 413,
        BrokerCode.MEDIA_TYPE: 415,
        BrokerCode.BLOB_ADDRESS: 422,
        BrokerCode.UPGRADE_NEEDED: 426,
        BrokerCode.QUOTA: 429,
        BrokerCode.DAILY_LIMIT: 429,
        BrokerCode.RATE_LIMITED: 429,
        BrokerCode.UNAVAILABLE: 503,
        BrokerCode.DRAINING: 503,
    }
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A no: a code for programs and one sentence for people, which never quotes what was sent."""

    code: BrokerCode
    detail: str

    @property
    def status(self) -> int:
        """The HTTP status that says the same."""
        return STATUS[self.code]
