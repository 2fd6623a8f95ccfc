"""`ui`: open the page of this machine's daemon, by a link that works once and for a minute."""

import click

from dispatch_cli.browser import has_display, opened
from dispatch_cli.errors import CliError
from dispatch_cli.invocation import Invocation
from dispatch_cli.options import Command
from dispatch_cli.render.fields import Document, text
from dispatch_cli.render.lines import Line, line


@click.command(cls=Command)
@click.option("--print", "only_print", is_flag=True, help="Print the link and open nothing.")
@click.option("--end", is_flag=True, help="Close every page that is open, and open none.")
@click.pass_obj
def ui(invocation: Invocation, only_print: bool, end: bool) -> None:
    """Open the page: inbox, approvals and contacts in a browser, on this machine alone."""
    if end:
        _end(invocation)
        return
    link = invocation.door.post("/v1/page/links", {})
    url = text(link, "url")
    shown: Document = {"url": url, "expires_at": text(link, "expires_at"), "opened": False}
    if only_print or invocation.options.json:
        invocation.show(shown, lambda _: [line(url)])
        return
    if not has_display():
        invocation.show(shown, lambda _: _from_afar(url))
        return
    if not opened(url):
        raise CliError("no_browser", "No browser could be opened.", hint="dispatch ui --print")
    invocation.show(shown | {"opened": True}, lambda _: [line("The page opens in your browser.")])


def _end(invocation: Invocation) -> None:
    closed = invocation.door.delete("/v1/page/sessions")
    count = closed.get("closed")
    pages = "No page was open." if not count else f"Closed {count} page{'' if count == 1 else 's'}."
    invocation.show(closed, lambda _: [line(pages)])


def _from_afar(url: str) -> list[Line]:
    """Say how somebody who sits elsewhere reaches the page: through their own tunnel, at the very same port."""
    port = url.split("/#", maxsplit=1)[0].rpartition(":")[2]
    return [
        line("There is no display here. From the machine you sit at:"),
        line(f"    ssh -L {port}:127.0.0.1:{port} THIS_MACHINE"),
        line("and then open there, within a minute:"),
        line(f"    {url}"),
    ]
