"""An injection rule as data: which requests may leave, where they go, and which secret replaces which placeholder.

Inside there is a placeholder and never the secret. It is drawn for one run, so one that was carried off opens nothing
anywhere else, and a request without it is refused even where everything else is right. The model's endpoint is the first
rule of this form.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Literal

from sandbox.gate.refusal import GateRefusalError, malformed, refuse

Where = Literal["x-api-key", "authorization"]
CREDENTIALS = ("x-api-key", "authorization", "api-key")
_QUERIES = ("", "beta=true")  # how one vendor's programs ask; what it asks for is not passed on


@dataclass(frozen=True, slots=True)
class InjectionRule:
    """What may leave: to these `hosts` (as named inside), by these `methods`, for these exact `paths`.

    The secret goes into the header `where` of the new request; None is an endpoint without a key.
    """

    hosts: tuple[str, ...]
    methods: tuple[str, ...]
    paths: tuple[str, ...]
    where: Where
    placeholder: str
    secret: str | None = field(default=None, repr=False)

    def header(self) -> dict[str, str]:
        """Return the header that carries the secret outside."""
        if self.secret is None:
            return {}
        return {self.where: self.secret if self.where == "x-api-key" else f"Bearer {self.secret}"}


def admit(rule: InjectionRule, method: str, target: str, headers: Iterable[tuple[str, str]]) -> str:
    """Return the path of a request that the rule lets out.

    Args:
        rule: The rule.
        method: The request's method.
        target: Its target, exactly as it was sent.
        headers: Its headers, as often as each was sent.

    Raises:
        GateRefusalError: `gate_forbidden`, `gate_malformed` or `gate_placeholder`.
    """
    sent = [(key.lower(), value) for key, value in headers]
    path, _, query = target.partition("?")
    if method not in rule.methods or path not in rule.paths or query not in _QUERIES:
        refuse(f"only {' and '.join(rule.methods)} to {' and '.join(rule.paths)} leaves this wall")
    named = [value for key, value in sent if key == "host"]
    if len(named) != 1 or named[0] not in rule.hosts:
        refuse("there is no other host behind this gate")
    if any(key in ("content-encoding", "upgrade", "expect", "trailer") for key, _ in sent):
        malformed("the request is encoded, or wants more than an answer")
    given = [value for key, value in sent if key in CREDENTIALS]
    if not given or not all(_is_placeholder(rule, value) for value in given):
        raise GateRefusalError("gate_placeholder", "the placeholder is not this run's", 401)
    return path


def _is_placeholder(rule: InjectionRule, value: str) -> bool:
    return compare_digest(value.removeprefix("Bearer ").encode(), rule.placeholder.encode())
