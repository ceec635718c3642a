"""Who may talk to the desk: the browser that was given the printed address, and nobody else.

Other programs and other pages in the same browser can reach a port of this machine, too. A page elsewhere may send
requests here (CORS does not stop that), and a name that it owns may lead to 127.0.0.1 (DNS rebinding), so that even
Origin and Host agree. Hence each request needs a cookie that only the printed address gives, a Host out of an exact
list, and, to change anything, an Origin out of the same list and a type of content that browsers do not send to other
sites unasked.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MOST_JSON, MOST_PHOTO = 1 << 20, 128 << 20
"""Most bytes of a JSON body, and of a photo or key frame: a whole 4K scan of 16 bits with opacity takes 102 million."""

UPLOADS = "/api/photos"
"""The only place that takes bytes instead of JSON."""

POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' blob:",
        "media-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""The content security policy: nothing from outside, no scripts or styles inside the page."""

HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)
"""Headers of every answer."""

REFUSED = (
    "This address does not open the desk. The address that semcolor-desk prints opens it once, in one browser; "
    "stop semcolor-desk with Ctrl-C and start it again for another.\n"
)


class Guard:
    """Lets only permitted requests through to an app (ASGI)."""

    def __init__(self, app: App, port: int) -> None:
        """
        Args:
            app: the app behind the guard.
            port: the port of this machine on which it listens.
        """
        self._app = app
        self.token: str | None = secrets.token_urlsafe(32)
        """The token of the printed address; None once it was used."""
        self._session = secrets.token_urlsafe(32)
        self.cookie = f"semcolor-desk-{port}"  # cookies are shared between the ports of a machine
        self.hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]")}
        self._origins = {f"http://{host}" for host in self.hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        if scope["type"] != "http":  # the desk has no sockets
            await receive()
            return await send({"type": "websocket.close", "code": 1008})
        headers = _Headers(scope)
        status, text = self._judged(scope, headers)
        if status == 303:
            cookie = f"{self.cookie}={self._session}; Path=/; HttpOnly; SameSite=Strict"
            return await _answer(send, 303, "", (b"location", b"/"), (b"set-cookie", cookie.encode()))
        if status:
            return await _answer(send, status, text)

        async def guarded(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                ours = {name for name, _ in HEADERS}
                message["headers"] = [h for h in message.get("headers", []) if h[0].lower() not in ours] + [*HEADERS]
            await send(message)

        if scope["method"] == "POST":
            body = await _body(receive, MOST_PHOTO if scope["path"] == UPLOADS else MOST_JSON)
            if body is None:
                return await _answer(send, 413, "This is too large.\n")
            receive = _given(body, receive)
        await self._app(scope, receive, guarded)

    def _judged(self, scope: Scope, headers: _Headers) -> tuple[int, str]:
        """(status, text) of a request that is refused; 303 for one that brings the token; 0 for one that may pass."""
        if headers.one("host") not in self.hosts:
            return 403, "This is not the desk's address.\n"
        origin = headers.one("origin")
        reads = scope["method"] in ("GET", "HEAD")
        if (origin is not None or not reads) and origin not in self._origins:
            return 403, "Requests from other pages are refused.\n"
        if headers.one("sec-fetch-site") in ("cross-site", "same-site") and scope["path"] != "/":
            return 403, "Requests from other pages are refused.\n"
        if self._has_cookie(headers):
            return (303, "") if b"token=" in scope.get("query_string", b"") else self._acceptable(scope, headers)
        if reads and scope["path"] == "/" and self._brings_token(scope):
            self.token = None
            return 303, ""
        return 403, REFUSED

    def _acceptable(self, scope: Scope, headers: _Headers) -> tuple[int, str]:
        """Refuses methods and contents that the desk does not use."""
        if scope["method"] not in ("GET", "HEAD", "POST"):
            return 405, "The desk knows GET and POST only.\n"
        wanted = "application/octet-stream" if scope["path"] == UPLOADS else "application/json"
        if scope["method"] == "POST" and (headers.one("content-type") or "").split(";")[0].strip() != wanted:
            return 415, f"The content must be {wanted}.\n"
        return 0, ""

    def _has_cookie(self, headers: _Headers) -> bool:
        for text in headers.all("cookie"):
            try:
                value = SimpleCookie(text).get(self.cookie)
            except CookieError:
                continue
            if value and hmac.compare_digest(value.value.encode(), self._session.encode()):
                return True
        return False

    def _brings_token(self, scope: Scope) -> bool:
        given = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])[0]
        return self.token is not None and hmac.compare_digest(given.encode(), self.token.encode())


class _Headers:
    """The headers of a request."""

    def __init__(self, scope: Scope) -> None:
        self._given = [(name.lower().decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]

    def all(self, name: str) -> list[str]:
        """All values of a header."""
        return [value for key, value in self._given if key == name]

    def one(self, name: str) -> str | None:
        """The value of a header; None if there is none; "" for several, which fits nothing."""
        found = self.all(name)
        return None if not found else found[0] if len(found) == 1 else ""


async def _body(receive: Receive, most: int) -> bytes | None:
    """The body of a request; None if it is too large."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > most:
            return None
        if not message.get("more_body"):
            return bytes(body)


def _given(body: bytes, receive: Receive) -> Receive:
    """A `receive` that hands out a body that was read already."""
    sent = False

    async def again() -> MutableMapping[str, Any]:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def _answer(send: Send, status: int, text: str, *headers: tuple[bytes, bytes]) -> None:
    body = text.encode()
    plain = (b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*plain, *headers, *HEADERS]})
    await send({"type": "http.response.body", "body": body})
