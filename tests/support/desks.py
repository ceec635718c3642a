"""The desk as a process of its own, for tests in browsers."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

PIXELS = """async ([kind, frame]) => {
  const frames = await import('/page/frames.js');
  const entry = frames.have(kind, frame), shown = frames.pixels(entry.bitmap);
  return [shown.width, shown.height, Array.from(shown.data)];
}"""
"""The pixels that the page holds of a frame."""


class Desk:
    """A running `semcolor-desk`."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        command = [sys.executable, "-m", "semcolor", "desk", *arguments, "--no-browser"]
        environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}
        self.process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True, env=environment)
        assert self.process.stdout
        found = next(filter(None, (re.search(r"http://\S+", line) for line in self.process.stdout)), None)
        assert found, "the desk did not open"
        self.address = found[0]

    def end(self, how: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(how)
        code = self.process.wait(60)
        assert self.process.stdout
        self.process.stdout.close()
        return code
