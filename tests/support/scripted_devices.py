"""The part of the scripted daemon that answers about devices: in the shapes of the contract, and nothing behind them."""

from typing import Any

from dispatch_daemon.ports import JsonObject

KEY = "ab" * 32
WHEN = "2026-01-02T03:04:05.678Z"


class ScriptedDevices:
    """Devices and one pairing, as the door may be told of them."""

    async def _asked(self, call: str, /, **arguments: Any) -> None:
        raise NotImplementedError

    async def devices(self) -> JsonObject:
        await self._asked("devices")
        laptop: JsonObject = {
            "id": KEY,
            "name": "laptop",
            "roles": ["approver", "runner"],
            "owner": True,
            "this": True,
            "since": WHEN,
            "key_since": WHEN,
            "last_seen": None,
        }
        return {"identity": KEY, "devices": [laptop]}

    async def rename_device(self, *, device: str, name: str) -> JsonObject:
        await self._asked("rename_device", device=device, name=name)
        return {"device": KEY, "name": name}

    async def revoke_device(self, *, device: str) -> JsonObject:
        await self._asked("revoke_device", device=device)
        return {"device": KEY, "name": device, "status": "revoked", "granted": [], "made_identity": False}

    async def set_device(self, *, device: str, roles: list[str] | None, owner: bool) -> JsonObject:
        await self._asked("set_device", device=device, roles=roles, owner=owner)
        whose: JsonObject = {"owner": owner, "owner_id": KEY, "owner_name": "laptop"}
        return {"device": KEY, "name": device, "roles": ["runner"], **whose}

    async def pairing(self) -> JsonObject:
        await self._asked("pairing")
        return self._pairing("none")

    async def open_pairing(self, *, roles: list[str] | None) -> JsonObject:
        await self._asked("open_pairing", roles=roles)
        return self._pairing("open")

    async def join(self, *, code: str) -> JsonObject:
        await self._asked("join", code=code)
        return self._pairing("compare")

    async def recover(self, *, broker: str | None, key: str, keep: list[str]) -> JsonObject:
        await self._asked("recover", broker=broker, key=key, keep=keep)
        return {"identity": KEY, "epoch": 1, "survivors": [KEY]}

    async def confirm_pairing(self, *, number: str) -> JsonObject:
        await self._asked("confirm_pairing", number=number)
        return self._pairing("done")

    def _pairing(self, status: str) -> JsonObject:
        return {
            "status": status,
            "code": "dispatch-pair1:x#y" if status == "open" else None,
            "number": "428913" if status == "compare" else None,
            "expires_at": WHEN,
            "user": "bob@example.org",
            "identity": KEY,
            "device": KEY if status == "done" else None,
        }
