"""The routes about one's own devices: who they are, how one joins, and how one ends; most are no page's to ask."""

from typing import Final

from dispatch_daemon.adapters.loopback.route import Route

DEVICES: Final[tuple[Route, ...]] = (
    Route(
        "POST",
        "/v1/devices/recovery-key",
        "recovery_key",
        "Show the recovery key once, then erase it.",
        "RecoveryKeyShown",
        body="Nothing",
    ),
    Route("GET", "/v1/devices", "devices", "The devices of this identity.", "Devices", page=True),
    Route(
        "POST",
        "/v1/devices/rename",
        "rename_device",
        "Call a device something.",
        "DeviceNamed",
        body="Rename",
    ),
    Route(
        "POST", "/v1/devices/revoke", "revoke_device", "End a device.", "DeviceRevoked", body="DeviceChoice"
    ),
    Route(
        "POST", "/v1/devices/set", "set_device", "Say what a device may do.", "DeviceSet", body="DeviceRoles"
    ),
    Route("GET", "/v1/devices/pairing", "pairing", "Where a pairing stands.", "Pairing"),
    Route(
        "POST",
        "/v1/devices/pairing",
        "open_pairing",
        "Make a code with which a new machine can join.",
        "Pairing",
        body="OpenPairing",
        status=201,
    ),
    Route(
        "POST",
        "/v1/devices/join",
        "join",
        "Ask to join the identity behind a code.",
        "Pairing",
        body="Join",
    ),
    Route(
        "POST",
        "/v1/devices/recover",
        "recover",
        "Take an identity back on this machine, with its recovery key.",
        "Recovered",
        body="Recover",
    ),
    Route(
        "POST",
        "/v1/devices/pairing/confirm",
        "confirm_pairing",
        "Say which number the other machine shows; a wrong one ends the pairing.",
        "Pairing",
        body="Confirm",
    ),
)
