"""Run a Prefect server for one command, on a socket that the command has opened.

Usage: python -P -m flows.own_server DESCRIPTOR, of the listening socket. The server ends with the command: once nobody holds
the other end of its standard input.
"""

from __future__ import annotations

import socket
import sys
import threading

import uvicorn

from flows.commands.process import rare_collections


def main() -> None:
    """Answer requests until the command ends."""
    with rare_collections():  # importing Prefect's server is most of its work
        from prefect.server.api.server import create_app

        config = uvicorn.Config(create_app(ephemeral=True, final=True), log_level="error", lifespan="on")
        server = uvicorn.Server(config)
        threading.Thread(target=_end_with_command, args=(server,), daemon=True).start()
        server.run(sockets=[socket.socket(fileno=int(sys.argv[1]))])


def _end_with_command(server: uvicorn.Server) -> None:
    sys.stdin.buffer.read()
    server.should_exit = True


if __name__ == "__main__":
    main()
