"""Scopes: what a grant allows, and `meet`, which takes of two of them only what both allow.

A `Scopes` is always in its one canonical form (sorted, without repetition, paths without overlap), so two that allow
the same are equal, and signed bytes have one spelling. `meet` is total, commutative, associative and idempotent, and
never widens: on that rests what happens when two devices of the trustor edit a grant at the same time.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeVar

from dispatch_protocol.budget import Budget, lower
from dispatch_protocol.encoding import JSON, Fields
from dispatch_protocol.errors import LocalError, MalformedError, RefusalCode, RefusedError
from dispatch_protocol.limits import (
    APPROVAL_TIMEOUT_MAX_S,
    APPROVAL_TIMEOUT_S,
    GRANT_HOSTS,
    GRANT_PATHS,
    GRANT_SERVERS,
    GRANT_TOOLS,
    MAX_PER_DAY,
    MAX_PER_DAY_LIMIT,
    NAME_CHARS,
    RUNTIME_MAX_S,
    RUNTIME_S,
)
from dispatch_protocol.paths import PathGrant, PathMode, canonical, meet_paths, mode_at
from dispatch_protocol.tool_server import server_of

ANY: Final = "*"  # every MCP server
HTTPS_PORT: Final = 443
READ_TOOLS: Final = ("Glob", "Grep", "Read")
WRITE_TOOLS: Final = ("Bash", "Edit", "Write")  # with one of these a run directory is writable
TOOLS: Final = tuple(sorted(READ_TOOLS + WRITE_TOOLS))

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# The last label begins with a letter, so an IPv4 address is no host name (RFC 3696, section 2).
_HOST: Final = re.compile(rf"(?:{_LABEL}\.)*(?=[a-z]){_LABEL}(?::(?P<port>[1-9][0-9]{{0,4}}))?")
_ROOT: Final = (PathGrant("/", PathMode.RW),)


class Approval(StrEnum):
    """Who is asked during a run, from the narrowest: each call, the changeset at the end, or nobody."""

    MANUAL = "manual"
    REVIEW = "review"
    AUTO = "auto"


class Returns(StrEnum):
    """What of a run its author sees, from the narrowest."""

    STATUS = "status"
    RESULT = "result"
    TRACE = "trace"


class Subject(StrEnum):
    """Whom a grant is for; a tagged union with one variant so far: the other side of the edge."""

    PEER = "peer"


_Rank = TypeVar("_Rank", Approval, Returns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scopes:
    """What the trustor allows; whatever is not named is not allowed. Numbers: None is unlimited.

    Without `paths` a run sees only the directory it is accepted in. `run_directory_only` narrows listed paths in the
    same way: the run directory must lie in them, and the run sees nothing else of them; with it and without paths there
    is no legal run directory, and then no tool is left either. `via` and `secrets` are reserved and empty.
    """

    tools: tuple[str, ...]
    mcp_servers: tuple[str, ...] = ()
    paths: tuple[PathGrant, ...] = ()
    run_directory_only: bool = False
    network: tuple[str, ...] = ()
    approval: Approval = Approval.MANUAL
    returns: Returns = Returns.RESULT
    max_per_day: int | None = MAX_PER_DAY
    budget: Budget = field(default_factory=Budget)
    max_runtime_s: int | None = RUNTIME_S
    approval_timeout_s: int | None = APPROVAL_TIMEOUT_S
    expires_at_ms: int | None = None
    subject: Subject = Subject.PEER
    via: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        def settle(name: str, value: tuple[str, ...] | tuple[PathGrant, ...] | bool) -> None:
            object.__setattr__(self, name, value)  # the one way to normalise a frozen dataclass

        for name in ("tools", "network", "via", "secrets"):
            settle(name, tuple(sorted(set(getattr(self, name)))))
        settle("mcp_servers", (ANY,) if ANY in self.mcp_servers else tuple(sorted(set(self.mcp_servers))))
        settle("paths", canonical(self.paths))
        if self.run_directory_only and self.paths == _ROOT:
            settle("paths", ())
            settle("run_directory_only", False)
        elif self.run_directory_only and not self.paths:
            settle("tools", ())
            settle("mcp_servers", ())

    def write(self) -> dict[str, JSON]:
        """Return the scopes as JSON; times in milliseconds, durations in seconds."""
        return {
            "tools": list(self.tools),
            "mcp_servers": list(self.mcp_servers),
            "paths": [grant.write() for grant in self.paths],
            "run_directory_only": self.run_directory_only,
            "network": list(self.network),
            "approval": self.approval.value,
            "returns": self.returns.value,
            "max_per_day": self.max_per_day,
            "budget": self.budget.write(),
            "max_runtime": self.max_runtime_s,
            "approval_timeout": self.approval_timeout_s,
            "expires_at": self.expires_at_ms,
            "subject": {"kind": self.subject.value},
            "via": list(self.via),
            "secrets": list(self.secrets),
        }

    @classmethod
    def read(cls, fields: Fields) -> "Scopes":
        """Read scopes strictly, in their canonical form only.

        Raises:
            MalformedError: a field is missing, unknown, beyond its bounds or not in canonical form.
            RefusedError: `unsupported`, a reserved field is used: what it would narrow or widen is not understood.
        """
        tools = _names(fields, "tools", GRANT_TOOLS)
        servers = _names(fields, "mcp_servers", GRANT_SERVERS)
        paths = tuple(PathGrant.read(entry) for entry in fields.many("paths", max_items=GRANT_PATHS))
        only = fields.boolean("run_directory_only")
        network = fields.texts("network", max_items=GRANT_HOSTS, max_chars=NAME_CHARS)
        for host in network:
            if not is_host(host):
                raise MalformedError(f"{fields.where}.network: {host!r} is no host name")
        scopes = cls(
            tools=tools,
            mcp_servers=servers,
            paths=paths,
            run_directory_only=only,
            network=network,
            approval=fields.choice("approval", Approval),
            returns=fields.choice("returns", Returns),
            max_per_day=fields.optional(fields.integer, "max_per_day", minimum=1, maximum=MAX_PER_DAY_LIMIT),
            budget=Budget.read(fields.fields("budget")),
            max_runtime_s=fields.optional(fields.integer, "max_runtime", minimum=1, maximum=RUNTIME_MAX_S),
            approval_timeout_s=fields.optional(
                fields.integer, "approval_timeout", minimum=1, maximum=APPROVAL_TIMEOUT_MAX_S
            ),
            expires_at_ms=fields.optional(fields.integer, "expires_at", minimum=1),
            subject=_subject(fields),
            via=_reserved(fields, "via"),
            secrets=_reserved(fields, "secrets"),
        )
        fields.done()
        if (scopes.tools, scopes.mcp_servers, scopes.paths, scopes.run_directory_only, scopes.network) != (
            tools,
            servers,
            paths,
            only,
            network,
        ):
            raise MalformedError(f"{fields.where} is not in canonical form")
        return scopes


def is_host(text: str) -> bool:
    """Return whether a text names one host for `network`: a lower-case DNS name, with `:port` if not the usual one."""
    match = _HOST.fullmatch(text)
    return match is not None and int(match["port"] or 0) <= 65_535


def destinations(scopes: Scopes) -> tuple[str, ...]:
    """Return where the scopes let a run go, each as `host:port`; a host that is named alone is reached at port 443."""
    return tuple(host if ":" in host else f"{host}:{HTTPS_PORT}" for host in scopes.network)


def _names(fields: Fields, name: str, max_items: int) -> tuple[str, ...]:
    names = fields.texts(name, max_items=max_items, max_chars=64)
    for text in names:
        if not (_NAME.fullmatch(text) or (text == ANY and name == "mcp_servers")):
            raise MalformedError(f"{fields.where}.{name}: {text!r} is no name")
    return names


def _subject(fields: Fields) -> Subject:
    tagged = fields.fields("subject")
    kind = tagged.text("kind", max_chars=64)
    if kind != Subject.PEER.value:
        raise RefusedError(RefusalCode.UNSUPPORTED, f"a grant for the subject {kind!r}")
    tagged.done()
    return Subject.PEER


def _reserved(fields: Fields, name: str) -> tuple[str, ...]:
    names = fields.texts(name, max_items=GRANT_SERVERS, max_chars=NAME_CHARS)
    if names:
        raise RefusedError(RefusalCode.UNSUPPORTED, f"a grant that uses {name!r}")
    return names


def meet(left: Scopes, right: Scopes) -> Scopes:
    """Return what both scopes allow; total, commutative, associative, idempotent, and never wider than either.

    Lists meet as sets, paths at every path by the lower mode, approval and returns by the narrower word, numbers by the
    lower one, expiry by the earlier. Source: docs/PROTOCOL.md, section 7.
    """
    left_paths, left_only = _view(left)
    right_paths, right_only = _view(right)
    paths = meet_paths(left_paths, right_paths)
    return Scopes(
        tools=_both(left.tools, right.tools),
        mcp_servers=_servers(left.mcp_servers, right.mcp_servers),
        paths=paths,
        run_directory_only=left_only or right_only or not paths,
        network=_both(left.network, right.network),
        approval=_narrower(left.approval, right.approval),
        returns=_narrower(left.returns, right.returns),
        max_per_day=lower(left.max_per_day, right.max_per_day),
        budget=left.budget.meet(right.budget),
        max_runtime_s=lower(left.max_runtime_s, right.max_runtime_s),
        approval_timeout_s=lower(left.approval_timeout_s, right.approval_timeout_s),
        expires_at_ms=lower(left.expires_at_ms, right.expires_at_ms),
        subject=left.subject,  # one variant: equal on both sides
        via=_both(left.via, right.via),
        secrets=_both(left.secrets, right.secrets),
    )


def _view(scopes: Scopes) -> tuple[tuple[PathGrant, ...], bool]:
    """Return where a run directory may lie, and whether the run sees that directory only.

    Without paths it may lie anywhere and is all that is seen; two sets of paths without a common place leave none.
    """
    if scopes.paths or scopes.run_directory_only:
        return scopes.paths, scopes.run_directory_only
    return _ROOT, True


def _both(left: Iterable[str], right: Iterable[str]) -> tuple[str, ...]:
    return tuple(set(left) & set(right))


def _servers(left: tuple[str, ...], right: tuple[str, ...]) -> tuple[str, ...]:
    if left == (ANY,):
        return right
    return left if right == (ANY,) else _both(left, right)


def _narrower(left: _Rank, right: _Rank) -> _Rank:
    order = list(type(left))
    return min(left, right, key=order.index)


def covers(scopes: Scopes, tool: str) -> bool:
    """Return whether the scopes allow this tool: by name, or `mcp__SERVER__TOOL` by its server, which ends at the next `__`."""
    server = server_of(tool)
    if server is None:
        return tool in scopes.tools
    return scopes.mcp_servers == (ANY,) or server in scopes.mcp_servers


def reach(scopes: Scopes, cwd: str) -> tuple[PathGrant, ...]:
    """Return what a run accepted in the directory `cwd` (absolute, canonical) may see; writable only with a tool that writes.

    Raises:
        LocalError: `outside_paths`, the directory does not lie in the granted paths.
    """
    paths, only = _view(scopes)
    if mode_at(paths, cwd) is None:
        raise LocalError("outside_paths", f"{cwd} is not in the granted paths")
    seen = meet_paths(paths, (PathGrant(cwd, PathMode.RW),)) if only else paths
    if any(tool in WRITE_TOOLS for tool in scopes.tools):
        return seen
    # The tools bound the mode here and not in `_view`: there it would depend on the order in which scopes meet.
    return canonical(PathGrant(grant.path, PathMode.RO) for grant in seen)


PROFILES: Final[Mapping[str, Scopes]] = MappingProxyType(
    {
        "read-only": Scopes(tools=READ_TOOLS),
        "edit": Scopes(tools=(*READ_TOOLS, "Edit", "Write")),
        "full": Scopes(tools=TOOLS, mcp_servers=(ANY,)),
    }
)

# One's own dispatches: all six tools, the run directory, no network; a human still accepts each one.
OWN_SCOPES: Final = Scopes(tools=TOOLS, returns=Returns.TRACE, max_per_day=None)

# What a contact who came by mail alone may be granted at most; `meet` it with what the human chose.
UNVERIFIED_CEILING: Final = Scopes(
    tools=tuple(tool for tool in TOOLS if tool != "Bash"),
    paths=_ROOT,
    returns=Returns.TRACE,
    max_per_day=None,
    max_runtime_s=None,
    approval_timeout_s=None,
)
