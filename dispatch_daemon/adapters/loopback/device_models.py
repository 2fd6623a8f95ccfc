"""What may be asked of the door about one's own devices."""

from typing import Annotated, Literal

from pydantic import Field

from dispatch_daemon.adapters.loopback.asked import Asked, Line, Name, Url

Roles = Annotated[list[Literal["approver", "runner"]], Field(max_length=2)]


class DeviceChoice(Asked):
    """One of one's own devices, by its name, its id or the beginning of it."""

    device: Name


class Rename(DeviceChoice):
    """What to call a device."""

    name: Annotated[Line, Field(min_length=1, max_length=64)]


class DeviceRoles(DeviceChoice):
    """What a device may do; the roles stay where none are named, and the owner runs what names no other device."""

    roles: Roles | None = None
    owner: bool = False


class OpenPairing(Asked):
    """With which roles a new machine joins; without any named it gets all."""

    roles: Roles | None = None


class Join(Asked):
    """The code that a machine which is signed in has shown."""

    code: Url


class Recover(Asked):
    """The recovery key as it stands on paper, and the ids of the devices that survive."""

    broker: Url | None = None
    key: Annotated[Line, Field(min_length=1, max_length=256)]
    keep: Annotated[list[Name], Field(max_length=32)] = Field(default_factory=list)


class Confirm(Asked):
    """The number that the other machine shows."""

    number: Annotated[Line, Field(min_length=1, max_length=16)]
