"""One run's sandbox as its caller sees it: calls go in, results come out, and at the end what is left on disk.

A box is alive until it is closed, killed, or goes over a limit. From then on every call raises the same
error, and the error says which it was. Nothing the helper inside says is used before `words` has read it.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.errors import HelperError, LimitExceededError, SandboxError
from sandbox.events import Confinement
from sandbox.job import Frozen, Layer, ToolCall, ToolResult
from sandbox.names import is_plain_name
from sandbox.tools import inputs
from sandbox.wall import remains, watchdog, words
from sandbox.wall.channel import Channel, ChannelClosedError
from sandbox.wall.jail import Jail
from sandbox.wall.policy import View
from sandbox.wall.preparation import ARTIFACTS, OUTBOX
from sandbox.wall.resident import Resident
from sandbox.wall.watchdog import Meters

SEARCH_TIMEOUT_S = 60
GRACE_S = 10.0
_LISTING_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Parts:
    """What a running box is made of; the runner puts it together."""

    view: View
    state_dir: Path
    jail: Jail
    channel: Channel
    meters: Meters
    layers: tuple[Layer, ...]
    confinement: Confinement
    started_s: float
    resident: Resident | None = None
    listeners: Mapping[int, socket.socket] = field(default_factory=dict)


class Box:
    """A live sandbox. Made by `runner.open_box`; one call runs at a time."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._turn = asyncio.Lock()
        self._failure: SandboxError | None = None
        self._failed = asyncio.Event()
        self._frozen: Frozen | None = None
        self._watch = asyncio.create_task(self._enforce_limits(), name="sandbox watchdog")

    @property
    def confinement(self) -> Confinement:
        return self._parts.confinement

    @property
    def tools(self) -> frozenset[str]:
        """The tools that exist inside; any other is refused here and there."""
        return self._parts.view.tools

    @property
    def resident(self) -> Resident:
        """The agent that lives inside.

        Raises:
            SandboxError: `no_program`: this box was opened without one.
        """
        if self._parts.resident is None:
            raise SandboxError("no_program", "No agent lives in this box.")
        return self._parts.resident

    def listener(self, port: int) -> socket.socket:
        """Return what was made to listen at a port inside; whoever serves it is a gate.

        Raises:
            SandboxError: `no_gate`: this box was opened without one at this port.
        """
        if port not in self._parts.listeners:
            raise SandboxError("no_gate", f"Nothing listens at port {port} of this box.")
        return self._parts.listeners[port]

    @property
    def frozen(self) -> Frozen:
        """What the run left, once the box is closed.

        Raises:
            SandboxError: `still_open`.
        """
        if self._frozen is None:
            raise SandboxError("still_open", "The run has not ended, so what it leaves is not known yet.")
        return self._frozen

    async def call(self, call: ToolCall) -> ToolResult:
        """Run one call inside and return what came of it.

        A call that fails returns a result that says so. What raises ends the run.

        Raises:
            LimitExceededError: The run went over a limit and was killed.
            HelperError: The helper died or spoke out of turn; the run was killed.
            SandboxError: `killed` or `closed`: the box is no longer alive.
        """
        refusal = self._refuse(call)
        if refusal is not None:
            return ToolResult(call.call_id, ok=False, output="", error=refusal)
        async with self._turn:
            self.check_alive()
            result = await self._ask(call)
        if call.save_as is not None:
            await self.save(call.save_as, result.output)
        return result

    async def save(self, name: str, output: str) -> None:
        """Keep the output of a call as an artifact."""
        await asyncio.to_thread(_save, self._artifacts, name, output)

    async def kill(self) -> None:
        """End everything inside now; later calls raise `killed`."""
        await self._fail(SandboxError("killed", "The run was ended."))

    async def close(self) -> None:
        """End the run if it has not ended, and freeze what it left. Safe to call again.

        Raises:
            SandboxError: `still_running`, when even the kernel cannot end it (a dead disk, a frozen mount).
        """
        if self._frozen is not None:
            return
        names = await self._scratch_names()
        await self._fail(SandboxError("closed", "The run has ended."))
        self._watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._watch
        self._parts.channel.close()
        if self._parts.resident is not None:
            self._parts.resident.close()
        for listener in self._parts.listeners.values():
            listener.close()
        if not self._parts.jail.ended:
            raise SandboxError(
                "still_running", "The kernel has not ended the run's processes; nothing of it is used."
            )
        self._parts.jail.close()
        if self._parts.meters.census is not None:
            self._parts.meters.census.close()
        if self._parts.meters.group is not None:
            await self._parts.meters.group.remove()
        left = await asyncio.to_thread(_settle, self._parts.state_dir, self._artifacts)
        self._frozen = Frozen(self._parts.layers, self._artifacts, names, left)

    async def close_whole(self) -> None:
        """Close to the end, however often whoever waits is cancelled meanwhile: what is left may be removed next.

        Raises:
            SandboxError: as `close`.
        """
        closing, cancelled = asyncio.ensure_future(self.close()), None
        while not closing.done():
            try:
                await asyncio.shield(closing)
            except asyncio.CancelledError as error:
                cancelled = error
        closing.result()
        if cancelled is not None:
            raise cancelled

    @property
    def _artifacts(self) -> Path:
        return self._parts.state_dir / ARTIFACTS

    def _refuse(self, call: ToolCall) -> str | None:
        """Say why a call must not even be sent, if it must not."""
        if call.tool not in self._parts.view.tools:
            return f"the tool {call.tool} is not granted"
        if call.save_as is not None and not is_plain_name(call.save_as):
            return "save_as is no plain file name"
        try:
            inputs.check(call.tool, call.input)
        except inputs.InputError as error:
            return str(error)
        return None

    async def _ask(self, call: ToolCall) -> ToolResult:
        """Send a call and read its reply; a reply that cannot be used is the end of the run."""
        limits = self._parts.view.limits
        try:
            line = await self._parts.channel.ask(words.encode_call(call), _patience_s(call))
            result = words.decode_result(line, call.call_id, limits.output_bytes)
        except ChannelClosedError:
            await self._fail(self._explain_death())
        except HelperError as error:
            await self._fail(error)
        except TimeoutError:
            await self._fail(
                HelperError("helper_silent", f"The helper gave no answer to a {call.tool} call.")
            )
        except asyncio.CancelledError:
            # The reply would be read as that of the next call, so a cancelled call ends the run.
            await asyncio.shield(self._fail(SandboxError("killed", "A call was cancelled.")))
            raise
        else:
            if result.ok or not self._out_of_memory():
                return result
            await self._fail(_memory_error(limits.memory_bytes))
        raise self._failure or SandboxError("killed", "The run was ended.")

    def check_alive(self) -> None:
        """Raise what ended the run, if anything has."""
        if self._failure is not None:
            raise self._failure

    async def end(self) -> SandboxError:
        """Wait until the box is no longer alive, and return why; any number of tasks may wait."""
        await self._failed.wait()
        assert self._failure is not None  # noqa: S101 - the reason stands before anything can notice
        return self._failure

    async def _fail(self, failure: SandboxError) -> None:
        """Remember the first reason and kill; the reason stands before anything can notice the death."""
        self._failure = self._failure or failure
        self._failed.set()
        await self._parts.jail.kill()

    async def _enforce_limits(self) -> None:
        """End the run when it goes over a limit, or when its processes are gone, called or not."""
        watching = asyncio.ensure_future(self._exceeded())
        ending = asyncio.ensure_future(self._parts.jail.wait(None))
        try:
            await asyncio.wait({watching, ending}, return_when=asyncio.FIRST_COMPLETED)
            await self._fail(watching.result() if watching.done() else self._explain_death())
        finally:
            watching.cancel()
            ending.cancel()

    async def _exceeded(self) -> SandboxError:
        parts, clock = self._parts, asyncio.get_running_loop().time
        try:
            return await watchdog.watch(parts.view.limits, parts.meters, clock, parts.started_s)
        except Exception as error:  # noqa: BLE001 - whatever stops the watchdog must stop the run
            return SandboxError("watchdog_failed", f"The run's limits can no longer be watched: {error}.")

    def _out_of_memory(self) -> bool:
        group = self._parts.meters.group
        return group is not None and group.out_of_memory()

    def _explain_death(self) -> SandboxError:
        if self._out_of_memory():
            return _memory_error(self._parts.view.limits.memory_bytes)
        return HelperError(
            "helper_died", "The helper inside ended before the run did.", "Run the task again."
        )

    async def _scratch_names(self) -> tuple[str, ...]:
        """Ask for the files on scratch while there is somebody to ask."""
        if self._failure is not None or self._turn.locked():
            return ()
        try:
            line = await self._parts.channel.ask(words.encode_listing(), _LISTING_TIMEOUT_S)
            return words.decode_names(line)
        except (ChannelClosedError, HelperError, TimeoutError):
            return ()


def _patience_s(call: ToolCall) -> float:
    """How long an honest helper may take over a call."""
    if call.tool != "Bash":
        return SEARCH_TIMEOUT_S + GRACE_S
    timeout_ms = call.input.get("timeout", inputs.DEFAULT_TIMEOUT_MS)
    return (timeout_ms if isinstance(timeout_ms, int) else 0) / 1000 + GRACE_S


def _memory_error(limit_bytes: int) -> LimitExceededError:
    return LimitExceededError(
        "memory",
        f"The run used more than {limit_bytes:,} bytes of memory.",
        "Raise the limit if the task needs more.",
    )


def _save(directory: Path, name: str, output: str) -> None:
    """Keep a call's output as an artifact; a later call of the same name replaces it."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(directory / name, flags, 0o600), "w", encoding="utf-8") as file:
        file.write(output)


def _settle(state_dir: Path, artifacts: Path) -> tuple[tuple[str, str], ...]:
    """Collect the artifacts, and let go of the one directory that overlayfs closes even to its owner."""
    for work in (state_dir / "work").glob("*/work"):
        work.chmod(0o700)
    return remains.collect(state_dir / OUTBOX, artifacts)
