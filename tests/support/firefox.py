"""Debian's Firefox, driven over WebDriver BiDi (https://w3c.github.io/webdriver-bidi), without a driver of its own.

firefox = Firefox(folder)
firefox.open(address)
firefox.until("document.title")
"""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
PATIENCE = 60.0
"""Seconds for what takes a second on a quiet machine."""

Point = tuple[float, float]


class Firefox:
    """A Firefox without a window. `close` it."""

    def __init__(self, folder: Path, width: int = 1280, height: int = 800) -> None:
        (folder / "user.js").write_text('user_pref("media.autoplay.default", 0);\n')
        command = [str(FIREFOX), "--headless", "--remote-debugging-port", "0", "--profile", str(folder)]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        assert self._process.stderr
        found = next(filter(None, (re.search(r"ws://\S+", line) for line in self._process.stderr)))
        self._rest = threading.Thread(target=self._process.stderr.read, daemon=True)  # what it says is of no interest
        self._rest.start()
        self._socket, self._numbers = connect(f"{found[0]}/session", max_size=None), itertools.count()
        self.wrong: list[str] = []
        """Mistakes that the page has told."""
        self._send("session.new", capabilities={})
        self._send("session.subscribe", events=["log.entryAdded"])
        self._page = self._send("browsingContext.getTree")["contexts"][0]["context"]
        self._send("browsingContext.setViewport", context=self._page, viewport={"width": width, "height": height})

    def close(self) -> None:
        """Close the browser."""
        self._send("browser.close")
        self._socket.close()
        self._process.wait(PATIENCE)
        self._rest.join()
        assert self._process.stderr
        self._process.stderr.close()

    def open(self, address: str) -> None:
        """Go to an address."""
        self._send("browsingContext.navigate", context=self._page, url=address, wait="complete")

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        given = self._send(
            "script.evaluate",
            expression=f"(async () => JSON.stringify((await ({expression})) ?? null))()",
            target={"context": self._page},
            awaitPromise=True,
        )
        assert given["type"] == "success", given
        return json.loads(given["result"]["value"])

    def until(self, expression: str) -> None:
        """Wait until an expression holds."""
        began = time.monotonic()
        while not self.evaluate(f"(async () => Boolean(await ({expression})))().catch(() => false)"):
            assert time.monotonic() - began < PATIENCE, expression
            time.sleep(0.05)

    def drag(self, *places: Point) -> None:
        """Press the mouse at a place, move it to others, and let it go; one place is a click."""
        moves = [{"type": "pointerMove", "x": round(x), "y": round(y), "duration": 50} for x, y in places]
        down, up = ({"type": kind, "button": 0} for kind in ("pointerDown", "pointerUp"))
        self._perform({"type": "pointer", "id": "mouse", "actions": [moves[0], down, *moves[1:], up]})

    def box(self, selector: str) -> tuple[float, float, float, float]:
        """Left, top, width and height of an element, once it is there, in pixels of the page."""
        element = f"document.querySelector({json.dumps(selector)})"
        self.until(f"{element}?.checkVisibility()")
        parts = "(({ x, y, width, height }) => [x, y, width, height])"
        return tuple(self.evaluate(f"{parts}({element}.getBoundingClientRect())"))

    def click(self, selector: str) -> None:
        """Click on the middle of an element."""
        x, y, width, height = self.box(selector)
        self.drag((x + width / 2, y + height / 2))

    def press(self, text: str) -> None:
        """Press keys one after another."""
        self._perform(
            {
                "type": "key",
                "id": "keys",
                "actions": [{"type": t, "value": k} for k in text for t in ("keyDown", "keyUp")],
            }
        )

    def _perform(self, source: dict[str, Any]) -> None:
        self._send("input.performActions", context=self._page, actions=[source])

    def _send(self, method: str, **parameters: Any) -> Any:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while (answer := json.loads(self._socket.recv(PATIENCE))).get("id") != number:
            if answer.get("params", {}).get("level") == "error":
                self.wrong.append(answer["params"]["text"])
        assert answer["type"] == "success", answer
        return answer["result"]
