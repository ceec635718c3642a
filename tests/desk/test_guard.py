"""The desk answers the browser that was given its address, and nobody else: each known attack is a request here."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytest.importorskip("starlette", reason="the desk's packages are not installed")
from semcolor.jobs.desk.guard import MOST_JSON, MOST_PHOTO, UPLOADS, Guard
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

PORT = 8750
HOME = f"http://127.0.0.1:{PORT}"
JSON = {"content-type": "application/json"}


async def _echo(request: Request) -> JSONResponse:
    return JSONResponse({"bytes": len(await request.body())}, headers={"Cache-Control": "public"})


async def _socket(socket: Any) -> None:
    await socket.accept()


def _guard() -> Guard:
    routes = [Route(path, _echo, methods=["GET", "POST", "PUT"]) for path in ("/", "/api/sheet", UPLOADS)]
    return Guard(Starlette(routes=[*routes, WebSocketRoute("/api/socket", _socket)]), PORT)


@pytest.fixture
def guard() -> Guard:
    return _guard()


@pytest.fixture
def browser(guard: Guard) -> TestClient:
    """A browser that was given the address."""
    client = TestClient(guard, HOME, follow_redirects=False)
    assert client.get(f"/?token={guard.token}").status_code == 303
    return client


def test_the_address_opens_the_desk_once_and_for_one_browser(guard):
    token, first, second = guard.token, TestClient(guard, HOME), TestClient(guard, HOME, follow_redirects=False)
    answer = first.get(f"/?token={token}")
    assert answer.status_code == 200 and answer.history[0].headers["location"] == "/", "the token leaves the address"
    cookie = answer.history[0].headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and token not in cookie
    assert second.get(f"/?token={token}").status_code == 403
    assert first.get(f"/?token={token}").status_code == 200, "the same browser may come again"


@pytest.mark.parametrize("path", ["/", "/api/sheet", "/?token=", "/?token=wrong", "/api/sheet?token={}"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_nothing_answers_without_the_cookie(guard, path, method):
    client = TestClient(guard, HOME, follow_redirects=False)
    answer = client.request(method, path.format(guard.token), headers={"origin": HOME, **JSON})
    assert answer.status_code == 403 and "set-cookie" not in answer.headers


@pytest.mark.parametrize("value", ["", "x", "é", "a=b; c", '"'])
def test_a_wrong_cookie_is_none(guard, value):
    client = TestClient(guard, HOME)
    cookie = f"{guard.cookie}={value}".encode("latin-1")
    assert client.get("/api/sheet", headers=[(b"cookie", cookie)]).status_code == 403


HOSTS = [
    "evil.example",
    f"evil.example:{PORT}",
    f"127.0.0.1.evil.example:{PORT}",
    "127.0.0.1",
    "127.0.0.1:80",
    f"localhost.:{PORT}",
    f"[::1%25lo]:{PORT}",
    f"0.0.0.0:{PORT}",
    f"2130706433:{PORT}",
]


@pytest.mark.parametrize("host", HOSTS)
def test_dns_rebinding_does_not_pass(browser, host):
    """Host and Origin agree in this attack, and the name may lead to this machine."""
    assert browser.get("/api/sheet", headers={"host": host}).status_code == 403
    both = {"host": host, "origin": f"http://{host}", **JSON}
    assert browser.post("/api/sheet", content="{}", headers=both).status_code == 403


@pytest.mark.parametrize("host", [f"127.0.0.1:{PORT}", f"localhost:{PORT}", f"[::1]:{PORT}"])
def test_the_desk_s_own_names_pass(browser, guard, host):
    cookie = f"{guard.cookie}={browser.cookies[guard.cookie]}"
    headers = {"host": host, "origin": f"http://{host}", "cookie": cookie, **JSON}
    assert browser.post("/api/sheet", content="{}", headers=headers).status_code == 200


def test_two_hosts_are_none(browser):
    answer = browser.get("/api/sheet", headers=[(b"host", f"127.0.0.1:{PORT}".encode()), (b"host", b"evil.example")])
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "origin", [None, "null", "http://evil.example", "http://127.0.0.1:80", f"https://127.0.0.1:{PORT}"]
)
def test_a_write_needs_our_origin(browser, origin):
    headers = JSON | ({"origin": origin} if origin else {})
    assert browser.post("/api/sheet", content="{}", headers=headers).status_code == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_other_pages_get_no_pictures(browser, site):
    """Another port of this machine is the same site, so a browser sends it our cookie."""
    assert browser.get("/api/sheet", headers={"sec-fetch-site": site}).status_code == 403
    assert browser.get("/api/sheet", headers={"sec-fetch-site": "same-origin"}).status_code == 200


@pytest.mark.parametrize(
    "kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
@pytest.mark.parametrize("path", ["/api/sheet", UPLOADS])
def test_bodies_that_a_browser_sends_unasked_are_refused(browser, kind, path):
    headers = {"origin": HOME} | ({"content-type": kind} if kind else {})
    assert browser.post(path, content=b"{}", headers=headers).status_code == 415


@pytest.mark.parametrize("path, kind, most", [("/api/sheet", "json", MOST_JSON), (UPLOADS, "octet-stream", MOST_PHOTO)])
def test_large_bodies_are_refused(browser, path, kind, most):
    headers = {"origin": HOME, "content-type": f"application/{kind}"}
    assert browser.post(path, content=b"x" * most, headers=headers).json() == {"bytes": most}
    assert browser.post(path, content=b"x" * (most + 1), headers=headers).status_code == 413


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_refused(browser, method):
    assert browser.request(method, "/api/sheet", headers={"origin": HOME, **JSON}).status_code == 405


def test_a_preflight_gets_no_permission(browser):
    asked = {"origin": "http://evil.example", "access-control-request-method": "POST"}
    answer = browser.options("/api/sheet", headers=asked)
    assert answer.status_code == 403 and not any(name.startswith("access-control") for name in answer.headers)


def test_there_are_no_sockets(browser):
    with pytest.raises(WebSocketDisconnect), browser.websocket_connect("/api/socket", headers={"origin": HOME}):
        pass


def test_every_answer_has_the_strict_headers(browser, guard):
    answers = [browser.get("/api/sheet"), TestClient(guard, HOME).get("/"), browser.get("/nowhere")]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-store"
        assert not any(name.startswith("access-control") for name in answer.headers)
    assert json.dumps(dict(answers[0].headers)).count("no-store") == 1
