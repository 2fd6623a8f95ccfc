"""The options that every command understands, before or after its name."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import click

from dispatch_cli.errors import CliError
from dispatch_cli.invocation import Invocation
from dispatch_protocol import loopback

Stored = Callable[[click.Context, click.Parameter, Any], Any]


@dataclass(frozen=True, slots=True)
class _Global:
    flag: str
    metavar: str | None
    help: str


_GLOBALS = (
    _Global("--json", None, "Print one JSON document, on success and on error."),
    _Global("--home", "DIR", "Use this home instead of DISPATCH_HOME or ~/.dispatch."),
    _Global("--no-start", None, "Do not start the daemon if none is running."),
    _Global("--broker", "URL", "The broker to sign in to."),
    _Global("--token-file", "FILE", "Read the broker's token from a file, or - for standard input."),
    _Global("--token", "VALUE", "The broker's token; the process list shows it, so prefer --token-file."),
)


def global_options(*, hidden: bool) -> list[click.Option]:
    """Return fresh option objects, for the group (shown) or for a command (understood, not repeated)."""
    return [
        click.Option(
            [option.flag],
            metavar=option.metavar,
            is_flag=option.metavar is None,
            default=None,
            expose_value=False,
            callback=_store,
            hidden=hidden,
            help=option.help,
        )
        for option in _GLOBALS
    ]


def _store(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    """Remember a given value; one after the command wins over one before it."""
    if value is not None and value is not False:
        setattr(ctx.ensure_object(Invocation).options, str(param.name), value)


def asks_for_json(arguments: Sequence[str]) -> bool:
    """Say whether `--json` stands among the arguments, for a command line that could not be parsed."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in options


class Documented(click.Command):
    """A command whose help, too, is one JSON document with `--json`."""

    def get_help(self, ctx: click.Context) -> str:
        """Return the help text, or a document that holds it."""
        text = super().get_help(ctx)
        if not asks_for_json(sys.argv[1:]):
            return text
        import json

        return json.dumps({"help": text}, ensure_ascii=False)


class Command(Documented):
    """A command that understands the global options after its name."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("epilog", "The global options work here too: dispatch --help lists them.")
        super().__init__(*args, **kwargs)
        self.params.extend(global_options(hidden=True))

    def invoke(self, ctx: click.Context) -> Any:
        """Run it; what the daemon says of a field is said of the option that was typed, and ends in this command's help."""
        try:
            return super().invoke(ctx)
        except CliError as error:
            error.message = self._of_options(error.message)
            if error.hint == loopback.hint("usage"):
                error.hint = f"{ctx.command_path} --help"
            raise

    def _of_options(self, message: str) -> str:
        """Return `--expires-at: …` for `expires_at: …`."""
        field, colon, said = message.partition(": ")
        flags = {
            param.name: max(param.opts, key=len)
            for param in self.params
            if isinstance(param, click.Option) and not param.hidden
        }
        flag = next((flags[part] for part in field.split(".") if part in flags), None)
        return message if flag is None else f"{flag}{colon}{said}"


class Group(Documented, click.Group):
    """A group of commands that understands the global options after its name."""

    command_class = Command

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(global_options(hidden=True))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse; alone it shows what it holds, which is no failure, except to who asked for one document."""
        alone = not args and self.no_args_is_help and not ctx.resilient_parsing
        if alone and not ctx.ensure_object(Invocation).options.json:
            click.echo(ctx.get_help())
            ctx.exit()
        return super().parse_args(ctx, args)
