"""The addresses of the desk, behind the guard. Names of frames and shots are numbers; there are no paths."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from ...errors import SemcolorError, UserError
from ...pipeline.edits.regions import Region
from ...pipeline.studio.sound import has_sound, wav
from . import photos
from .films import Films
from .previews import Preview
from .session import Picture, Superseded
from .store import LISTS
from .work import Work

PAGE = Path(__file__).parent / "page"
"""Folder of the page: HTML, styles and modules."""

TICK = 0.25
"""Seconds between two looks for changes that the page is told of."""

BEAT = 15.0
"""Seconds after which the page is told something even if nothing has changed."""

SOON = 0.05
"""Seconds between two looks at a preview that grows."""

HEARD = 60.0
"""Most seconds of sound that the page gets at once."""

COLOR = re.compile(r"#[0-9a-f]{6}")
"""A colour as the page writes it."""


def app(films: Films) -> Starlette:
    """The desk as a web application (ASGI), without its guard."""
    desk = _Desk(films)
    routes = [
        Route("/", desk.page),
        Route("/api/desk", desk.films),
        Route("/api/open", desk.open, methods=["POST"]),
        Route("/api/film", desk.film),
        Route("/api/shots", desk.shots),
        Route("/api/shots/{shot:int}.jpg", desk.thumb),
        Route("/api/frames/{frame:int}/probe", desk.probe),
        Route("/api/frames/{frame:int}/followed", desk.followed),
        Route("/api/frames/{frame:int}/{kind:str}", desk.picture),
        Route("/api/region", desk.region, methods=["POST"]),
        Route("/api/picker/{luma:int}.png", desk.disc),
        Route("/api/given", desk.given, methods=["POST"]),
        Route("/api/sheet", desk.sheet),
        Route("/api/sheet", desk.change, methods=["POST"]),
        Route("/api/photos", desk.upload, methods=["POST"]),
        Route("/api/pictures/{item:str}.png", desk.shown),
        Route("/api/previews", desk.preview, methods=["POST"]),
        Route("/api/previews/{number:int}.mp4", desk.previewed),
        Route("/api/sound/{frame:int}.wav", desk.sound),
        Route("/api/render", desk.render, methods=["POST"]),
        Route("/api/events", desk.events),
        Mount("/page", StaticFiles(directory=PAGE)),
    ]
    return Starlette(routes=routes, exception_handlers={SemcolorError: _told, _Wrong: _told, Superseded: _gone})


class _Wrong(Exception):
    """A request that the page never makes. The text says what is wrong."""


async def _told(_: Request, error: Exception) -> Response:
    status = 422 if isinstance(error, UserError) else 400 if isinstance(error, _Wrong) else 500
    return JSONResponse({"error": str(error)}, status)


async def _gone(*_: Any) -> Response:
    return Response(status_code=204)  # a later request has taken its place


async def _body(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise _Wrong("the body is not JSON") from error
    if not isinstance(body, dict):
        raise _Wrong("the body is not an object")
    return body


def _field(body: dict[str, Any], name: str, *kinds: type) -> Any:
    value = body.get(name)
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise _Wrong(f"{name} is missing, or of another kind")
    return value


async def _result(future: Future) -> Any:
    try:
        return await asyncio.wrap_future(future)
    except (CancelledError, asyncio.CancelledError):
        future.cancel()
        raise


class _Desk:
    def __init__(self, films: Films) -> None:
        self._films = films

    @property
    def work(self) -> Work:
        """The film on the desk."""
        if self._films.work is None:
            raise _Wrong("no film is open")
        return self._films.work

    async def page(self, request: Request) -> Response:
        return FileResponse(PAGE / "index.html")

    async def films(self, request: Request) -> Response:
        return JSONResponse(await asyncio.to_thread(self._films.state))

    async def open(self, request: Request) -> Response:
        key = _field(await _body(request), "key", str)
        await asyncio.to_thread(self._films.open, key)
        return JSONResponse({})

    async def film(self, request: Request) -> Response:
        return JSONResponse(self.work.about())

    async def shots(self, request: Request) -> Response:
        return JSONResponse(self.work.shots())

    async def thumb(self, request: Request) -> Response:
        number, found = request.path_params["shot"], self.work.session.scan.found
        if number >= len(found):
            return Response(status_code=404)
        return Response(base64.b64decode(found[number].thumb), media_type="image/jpeg")

    async def picture(self, request: Request) -> Response:
        kind = request.path_params["kind"]
        if kind not in ("colour", "grey", "labels"):
            return Response(status_code=404)
        view, have = request.query_params.get("view", "main")[:40], request.headers.get("if-none-match", "").strip('"')
        small = request.query_params.get("small") == "1"
        found: Picture = await _result(self.work.session.picture(self._frame(request), kind, view, have, small))
        headers = {"etag": f'"{found.tag}"', "x-settled": str(int(found.settled))}
        if not found.data:
            return Response(status_code=304, headers=headers)
        media = "image/jpeg" if small and kind != "labels" else "image/png"
        return Response(found.data, media_type=media, headers=headers)

    async def probe(self, request: Request) -> Response:
        try:
            x, y = (float(request.query_params[name]) for name in "xy")
        except (KeyError, ValueError) as error:
            raise _Wrong("x and y are missing") from error
        film = self.work.task.film
        if not (0 <= x < film.width and 0 <= y < film.height):
            raise _Wrong("the place is outside of the picture")
        return JSONResponse(await _result(self.work.session.questions.probe(self._frame(request), x, y)))

    async def followed(self, request: Request) -> Response:
        return JSONResponse(await _result(self.work.session.questions.followed(self._frame(request))))

    async def region(self, request: Request) -> Response:
        body = await _body(request)
        place = _region(_field(body, "region", dict))
        frame = self._checked(_field(body, "frame", int))
        return JSONResponse(await _result(self.work.session.questions.region(frame, place)))

    async def disc(self, request: Request) -> Response:
        luma = request.path_params["luma"]
        if luma > 255:
            return Response(status_code=404)
        data, reach = await asyncio.to_thread(self.work.session.questions.disc, luma)
        return Response(data, media_type="image/png", headers={"x-reach": f"{reach:.2f}"})

    async def given(self, request: Request) -> Response:
        body = await _body(request)
        color, lumas = _field(body, "colour", str), _field(body, "lumas", list)
        if not COLOR.fullmatch(color) or not lumas[:9] == lumas:
            raise _Wrong("a colour is #rrggbb, with at most nine lumas")
        if not all(type(luma) is int and 0 <= luma <= 255 for luma in lumas):
            raise _Wrong("lumas are 0 to 255")
        return JSONResponse(await asyncio.to_thread(self.work.session.questions.given, color, lumas))

    async def sheet(self, request: Request) -> Response:
        return JSONResponse(await asyncio.to_thread(self._changed, self.work, None))

    async def change(self, request: Request) -> Response:
        return JSONResponse(await asyncio.to_thread(self._changed, self.work, await _body(request)))

    def _changed(self, work: Work, body: dict[str, Any] | None) -> dict[str, Any]:
        """Change the sheet as the page asks. Returns the sheet, and the id of a new item."""
        with self._films.lock:
            new, before = None, work.store.version
            try:
                if body is not None:
                    new = _change(work.store, body)
            finally:
                if work.store.version != before:
                    work.saved()
            return {**work.store.state(), "new": new}

    async def upload(self, request: Request) -> Response:
        sheet = self.work.task.sheet
        folder = sheet.with_name(f"{sheet.name.removesuffix('.json')}.photos")
        path = await asyncio.to_thread(photos.keep, await request.body(), folder)
        return JSONResponse({"photo": f"{folder.name}/{path.name}", "name": path.name})

    async def shown(self, request: Request) -> Response:
        """A small picture of a photo or key frame in the sheet, by its id."""
        path = self.work.store.picture(request.path_params["item"])
        if path is None:
            return Response(status_code=404)
        return Response(await asyncio.to_thread(photos.small, path), media_type="image/png")

    async def preview(self, request: Request) -> Response:
        body = await _body(request)
        if body.get("stop") is True:
            self.work.session.previews.stop()
            return JSONResponse({})
        first, last = (self._checked(_field(body, name, int)) for name in ("from", "to"))
        if last < first:
            raise UserError("The preview ends before it begins.")
        return JSONResponse({"number": self.work.session.preview(first, last + 1).number})

    async def previewed(self, request: Request) -> Response:
        made = self.work.session.previews.get(request.path_params["number"])
        if made is None or made.state not in ("running", "done"):
            return Response(status_code=404)
        if made.state == "done":
            return FileResponse(made.path, media_type="video/mp4")
        return StreamingResponse(self._growing(made), media_type="video/mp4")

    async def _growing(self, made: Preview) -> AsyncIterator[bytes]:
        """A preview's file while it is still being written."""
        while made.state == "running" and not made.path.exists():
            await asyncio.sleep(SOON)
        with made.path.open("rb") as file:
            while not self._films.closing:
                whole = made.state != "running"
                data = await asyncio.to_thread(file.read)
                if data:
                    yield data
                elif whole:
                    return
                else:
                    await asyncio.sleep(SOON)

    async def sound(self, request: Request) -> Response:
        """The film's sound from a frame on, for `HEARD` seconds at most."""
        film, first = self.work.task.film, self._frame(request)
        if not has_sound(film):
            return Response(status_code=404)
        last = film.frame_at(f"{min(film.seconds, float(film.time(first)) + HEARD):f}s")
        return StreamingResponse(wav(film, first, max(first, last) + 1), media_type="audio/wav")

    async def render(self, request: Request) -> Response:
        body = await _body(request)
        if body.get("stop") is True:
            await asyncio.to_thread(self.work.rendering.stop)
        else:
            self.work.render(body.get("replace") is True)
        return JSONResponse(self.work.rendering.state())

    async def events(self, request: Request) -> Response:
        return StreamingResponse(self._events(request), media_type="text/event-stream")

    async def _events(self, request: Request) -> AsyncIterator[str]:
        before, quiet = "", 0.0
        while not self._films.closing and not await request.is_disconnected():
            work = self._films.work
            if work and self._films.lock.acquire(blocking=False):
                try:
                    if work.store.look():
                        work.saved()
                finally:
                    self._films.lock.release()
            text = json.dumps({"film": self._films.number, **work.state()} if work else {"film": None})
            quiet += TICK
            if text != before or quiet > BEAT:
                before, quiet = text, 0.0
                yield f"data: {text}\n\n"
            await asyncio.sleep(TICK)

    def _frame(self, request: Request) -> int:
        return self._checked(request.path_params["frame"])

    def _checked(self, frame: int) -> int:
        if not 0 <= frame < self.work.task.film.frames:
            raise _Wrong("the film has no such frame")
        return frame


def _region(given: dict[str, Any]) -> Region:
    try:
        return Region.model_validate(given)
    except ValidationError as error:
        raise _Wrong("this is not a region") from error


def _change(store: Any, body: dict[str, Any]) -> str | None:
    """Make a change that the page asks for. Returns the id of a new item."""
    what, title = _field(body, "do", str), str(body.get("title", ""))[:200]
    name = body.get("list", "edits")
    if name not in LISTS:
        raise _Wrong("there is no such list")
    match what:
        case "add":
            return store.add(name, _field(body, "item", dict), title or "added")
        case "update":
            merge = body.get("merge") is True
            store.update(name, _field(body, "id", str), _field(body, "fields", dict), title or "changed", merge)
        case "remove":
            store.remove(name, _field(body, "id", str), title or "removed")
        case "move":
            store.move(name, _field(body, "id", str), _field(body, "to", int), title or "moved")
        case "palette":
            store.palette(_field(body, "label", str), body.get("colour"))
        case "colour":
            name, color = _field(body, "name", str), _field(body, "colour", str, type(None))
            note, to = (_field(body, key, str, type(None)) for key in ("note", "to"))
            store.color(name, color, note, to)
        case "undo":
            store.step(-1)
        case "redo":
            store.step(1)
        case "go":
            store.go(_field(body, "to", int))
        case "overwrite":
            store.overwrite()
        case _:
            raise _Wrong("the desk does not know this")
    return None
