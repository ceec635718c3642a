"""The desk's server: on this machine only, until the terminal ends it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import uvicorn

from ...errors import UserError
from .api import app
from .films import Films
from .guard import Guard

PATIENCE = 1
"""Seconds that open connections get when the desk ends."""


def serve(films: Films, port: int, ready: Callable[[str], None]) -> None:
    """Answer the page until the process is told to stop (Ctrl-C or SIGTERM).

    Args:
        films: the films of the desk.
        port: the port; 0: a free one.
        ready: called with the address for the browser once the desk answers.

    Raises:
        UserError: if the port is taken.
    """
    listening = _bound(port)
    number = listening.getsockname()[1]
    guard = Guard(app(films), number)
    config = uvicorn.Config(
        guard,
        log_level="warning",
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=PATIENCE,
        h11_max_incomplete_event_size=64 << 10,
    )
    server = _Server(config, films)
    address = f"http://127.0.0.1:{number}/?token={guard.token}"
    asyncio.run(_run(server, listening, lambda: ready(address)))


async def _run(server: uvicorn.Server, listening: socket.socket, ready: Callable[[], None]) -> None:
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.01)
    if server.started:
        ready()
    await serving


class _Server(uvicorn.Server):
    """Tells the films that the end has come, so that streams of events end."""

    def __init__(self, config: uvicorn.Config, films: Films) -> None:
        super().__init__(config)
        self._films = films

    def handle_exit(self, sig: int, frame: object) -> None:
        self._films.closing = True
        super().handle_exit(sig, frame)  # type: ignore[arg-type]


def _bound(port: int) -> socket.socket:
    """A socket that only this machine reaches. Raises UserError."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
    except OSError as error:
        listening.close()
        raise UserError(f"--port {port} is taken by another program; leave it out for a free one.") from error
    return listening
