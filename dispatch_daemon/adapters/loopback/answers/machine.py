"""Answers about this machine: the door, the daemon, the device and the person it acts for."""

from typing import Literal

from dispatch_daemon.adapters.loopback.answers.shapes import Answer, Fingerprint, Moment


class Health(Answer):
    """The door answers."""

    ok: bool


class OpenApi(Answer):
    """An OpenAPI 3.1 document."""

    openapi: str


class Device(Answer):
    """A device by its public key."""

    id: Fingerprint
    name: str


class DaemonPlace(Answer):
    """Where the daemon listens and whether it can run dispatches."""

    running: bool
    version: str
    can_run: bool
    paused_at: Moment | None
    panic_at: Moment | None
    socket: str
    door: str


class Whoami(Answer):
    """Who this daemon acts for; `user` is null before the first login."""

    user: str | None
    identity: Fingerprint
    device: Device
    broker: str | None
    daemon: DaemonPlace


class Panicked(Answer):
    """Since when everything is stopped here, or null; how many runs that ended.

    So many of one's other devices are told, and so many will be as soon as there is a session.
    """

    panic_at: Moment | None
    runs_ended: int
    told: int
    untold: int


class Paused(Answer):
    """Since when nothing new starts here, or null; and how many runs go on."""

    paused_at: Moment | None
    running: int


class LoggedOut(Answer):
    """This device holds no session any more; `told` says whether the broker knows, and asks for a login from now on."""

    broker: str
    status: Literal["signed_out"]
    told: bool


class LoginBegun(Answer):
    """A sign-in that goes on: by `mail`, or on the `page` at `verification_uri`, where `user_code` is typed.

    `mailed` is false where the code that counts was mailed before, so that no other one is on its way.
    """

    login: str
    way: Literal["mail", "page"]
    user_code: str
    verification_uri: str
    email: str | None
    mailed: bool
    expires_at: Moment


class Check(Answer):
    """One thing that was looked at."""

    name: str
    ok: bool
    detail: str
    remedy: str | None


class Doctor(Answer):
    """Every check; `ok` only if all are."""

    ok: bool
    checks: list[Check]


class AgentListed(Answer):
    """One agent: `chosen` decides the calls of runs here, `remedy` is what to type about it.

    `ready` says that it is chosen whole, with its key, and not known to be silent; `answers` whether its endpoint on this
    machine just gave an answer of any kind, null where nobody asked: at a vendor's, on another machine.
    """

    name: str
    chosen: bool
    ready: bool
    answers: bool | None
    detail: str
    remedy: str | None


class Agents(Answer):
    """The agents of this machine, the chosen ones first."""

    agents: list[AgentListed]


class AgentKey(Answer):
    """Whether the daemon's environment has a variable, by its name."""

    name: str
    held: bool


class ToolServerListed(Answer):
    """One MCP server: of `secrets` only the places, of `environment` only the names."""

    name: str
    command: list[str]
    environment: list[str]
    secrets: dict[str, str]
    granted_to: list[str]


class ToolServers(Answer):
    """The MCP servers of this machine, by name."""

    servers: list[ToolServerListed]


class OfferedTool(Answer):
    """One tool, as its server describes it."""

    name: str
    description: str


class ToolServerTried(Answer):
    """What a server offered; `left_out` names tools that no call could name."""

    ok: bool
    name: str
    detail: str
    tools: list[OfferedTool]
    left_out: list[str]


class DaemonStatus(Answer):
    """The daemon's process and places."""

    running: bool
    pid: int | None
    version: str
    door: str | None
    socket: str | None
    paused_at: Moment | None
    panic_at: Moment | None


class Stopping(Answer):
    """The daemon ends as soon as it has answered."""

    running: bool
    pid: int


class RecoveryKeyShown(Answer):
    """The recovery key, shown this once."""

    recovery_key: str


class DeviceListed(Answer):
    """One device of this identity: `owner` runs what names no other; `key_since` is when it made its sealing key.

    `last_seen` is null for `this` one and the silent.
    """

    id: Fingerprint
    name: str
    roles: list[str]
    owner: bool
    this: bool
    since: Moment
    key_since: Moment
    last_seen: Moment | None


class Devices(Answer):
    """The devices of this identity."""

    identity: Fingerprint
    devices: list[DeviceListed]


class DeviceNamed(Answer):
    """A device and what it is called now."""

    device: Fingerprint
    name: str


class DeviceRevoked(DeviceNamed):
    """A device that is over; `granted` may dispatch here by its word, which stays in force.

    If it has `made_identity`, it kept the recovery key, unless that was shown there.
    """

    status: str
    granted: list[str]
    made_identity: bool


class DeviceSet(DeviceNamed):
    """A device and what it may do now, and which one is the owner: it runs what names no other device."""

    roles: list[str]
    owner: bool
    owner_id: Fingerprint
    owner_name: str


class Recovered(Answer):
    """An identity that was taken back, and which of its devices survive beside this one."""

    identity: Fingerprint
    epoch: int
    survivors: list[str]


class Pairing(Answer):
    """Where a pairing stands: none, open (type the code there), compare (the number on both machines), agreed, done.

    `agreed` is said by a machine that waits for the yes of the other one; `device` is the new one, once the older has signed.
    """

    status: str
    code: str | None
    number: str | None
    expires_at: Moment | None
    user: str | None
    identity: Fingerprint | None
    device: Fingerprint | None


class Setting(Answer):
    """One setting: its value, where it came from, what is stored for the next start, and what it may be changed to here.

    `choices` are the words that it may be, none for anything within its bounds; `held_by` is a variable that wins.
    """

    name: str
    value: str | int | None
    origin: str
    stored: str | int | None
    can_edit: bool
    choices: list[str]
    held_by: str | None


class Settings(Answer):
    """Every setting; none of them is a secret."""

    settings: list[Setting]


class PageLink(Answer):
    """A link that opens the page once."""

    url: str
    expires_at: Moment


class PageSession(Answer):
    """The token of an open page, for the header `Authorization`; it is kept in that tab alone."""

    token: str
    expires_at: Moment


class PagesClosed(Answer):
    """How many pages were open."""

    closed: int
