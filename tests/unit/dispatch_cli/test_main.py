"""The list of commands and the commands say the same."""

import re
from importlib import import_module

import pytest

from dispatch_cli.main import COMMANDS, SECTIONS, program
from dispatch_cli.options import Command, Group

ISSUED = {
    "login",
    "logout",
    "whoami",
    "agent",
    "pause",
    "panic",
    "doctor",
    "prove",
    "invite",
    "invitations",
    "accept-invitation",
    "decline-invitation",
    "contacts",
    "send",
    "thread",
    "reply",
    "followup",
    "resend",
    "sent",
    "inbox",
    "waiting",
    "summary",
    "status",
    "watch",
    "result",
    "verify",
    "accept",
    "handover",
    "complete",
    "decline",
    "approvals",
    "approve",
    "deny",
    "review",
    "resume",
    "discard",
    "undo",
    "rules",
    "ui",
    "cancel",
    "edit-edge",
    "audit",
    "trust",
    "revoke",
    "devices",
    "config",
    "version",
    "daemon",
    "service",
    "completion",
}


def test_exactly_the_commands_that_work_exist() -> None:
    assert set(COMMANDS) == ISSUED
    assert sum(len(section) for section in SECTIONS.values()) == len(COMMANDS)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_can_be_imported_and_takes_the_global_options(name: str) -> None:
    entry = COMMANDS[name]
    command = getattr(import_module(f"dispatch_cli.commands.{entry.module}"), name.replace("-", "_"))
    assert isinstance(command, Command | Group)
    assert command.name == name
    flags = {flag for parameter in command.params for flag in parameter.opts}
    assert flags >= {"--json", "--home", "--no-start", "--broker", "--token", "--token-file"}
    assert command.help
    assert re.match(r"[A-Z].*\.$", entry.help)
    if isinstance(command, Group):
        assert all(isinstance(child, Command | Group) for child in command.commands.values())


def test_the_program_lists_them_in_the_order_of_its_help() -> None:
    assert list(program.list_commands(program.make_context("dispatch", ["version"], obj=None))) == list(
        COMMANDS
    )
