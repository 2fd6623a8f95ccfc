"""The tools of `dispatch-mcp` behind the library's HTTP transport, for judges that speak nothing else.

Usage: python -m tests.support.mcp_over_http HOME. It prints its address, one line, once it listens.
"""

import socket
import sys

import uvicorn

from dispatch_cli.invocation import Invocation
from dispatch_cli.mcp.server import Tools
from dispatch_cli.screen import Screen


def main() -> None:
    """Serve until somebody ends the process."""
    listener = socket.create_server(("127.0.0.1", 0))
    quiet = Screen(sys.stderr, {})
    invocation = Invocation(quiet, quiet)
    invocation.options.home = sys.argv[1]
    app = Tools(invocation).server().streamable_http_app()
    print(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
