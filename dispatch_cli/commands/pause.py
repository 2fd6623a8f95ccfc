"""`pause`, `panic`: nothing new starts until its person says so; and everything stops at once."""

import click

from dispatch_cli.invocation import Invocation
from dispatch_cli.options import Command
from dispatch_cli.render.fields import Document, number, text
from dispatch_cli.render.lines import Line, following, line

_PANIC_S = 30.0


@click.command(cls=Command)
@click.option("--off", is_flag=True, help="Let things start again; what was accepted before starts now.")
@click.pass_obj
def pause(invocation: Invocation, off: bool) -> None:
    """Let nothing new start on this machine.

    What runs goes on, and asks as before. What was accepted and has not begun waits; accept and resume are refused
    meanwhile. Tasks still arrive, and can be declined or done by hand. It holds over a restart.
    """
    answer = invocation.door.post("/v1/pause", {"off": off})
    invocation.show(answer, lambda _: _lines(answer))


def _lines(answer: Document) -> list[Line]:
    if not text(answer, "paused_at"):
        return [line("What is accepted starts again.")]
    running = number(answer, "running") or 0
    go_on = "1 run goes on" if running == 1 else f"{running} runs go on" if running else "nothing runs"
    return [
        line(f"Nothing new starts here; {go_on}."),
        following("take it back with", "dispatch pause --off"),
    ]


@click.command(cls=Command)
@click.option(
    "--off", is_flag=True, help="Come back on this machine; each of my devices comes back by itself."
)
@click.pass_obj
def panic(invocation: Invocation, off: bool) -> None:
    """Stop everything of mine at once, and ask questions afterwards.

    Runs here are killed and what they wrote is thrown away; only what is being applied is finished. Open pages and the
    session with the broker end: nothing is sent, taken in or begun, over restarts too. My other devices are told and do
    the same. What only ends something still works here: revoke, devices revoke, rules remove. Come back with --off.
    """
    answer = invocation.door.post("/v1/panic", {"off": off}, timeout_s=_PANIC_S)
    invocation.show(answer, lambda _: _panic_lines(answer))


def _panic_lines(answer: Document) -> list[Line]:
    if not text(answer, "panic_at"):
        return [
            line(
                "This machine is back. Each other device of yours comes back by itself: dispatch panic --off there."
            )
        ]
    ended, told, untold = (number(answer, name) or 0 for name in ("runs_ended", "told", "untold"))
    said = f" The broker has it for {devices(told)}." if told else ""
    said += f" It still has to reach the broker for {devices(untold)}." if untold else ""
    return [
        line(f"Everything is stopped here; {ended} run{' was' if ended == 1 else 's were'} ended.{said}"),
        following("end an edge with", "dispatch revoke PEER"),
        following("come back with", "dispatch panic --off"),
    ]


def devices(count: int) -> str:
    """Return so many of one's other devices in words."""
    return f"{count} other device{'' if count == 1 else 's'}"
