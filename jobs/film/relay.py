"""A long film on a machine of many cores: threads begin it, and Ray takes over once it has started beside them."""

from __future__ import annotations

import logging
import threading
from contextlib import AbstractContextManager, ExitStack

from ...errors import SemcolorError
from .crew import Crew, RayCrew, ThreadCrew

_log = logging.getLogger(__name__)


class Relay:
    """Makes the crews of a film: threads first, actors of Ray later. Use it in a `with` block, which ends Ray.

    Ray begins to start when the first chunk is written, so that it does not hold up the first frames. The threads stop
    where a part of the film ends.
    """

    def __init__(self, ray: AbstractContextManager[None]) -> None:
        """ray: a context in which Ray runs; see `cluster.connected`."""
        self._ray, self._stack, self._ready = ray, ExitStack(), threading.Event()
        self._starter = threading.Thread(target=self._start, name="Ray's start", daemon=True)

    def __enter__(self) -> Relay:
        return self

    def __exit__(self, *_: object) -> None:
        if self._starter.ident:
            self._starter.join()
        self._stack.close()

    def crew(self) -> Crew:
        """The crew of the next attempt."""
        return RayCrew() if self._ready.is_set() else ThreadCrew(self._relieved)

    def _relieved(self) -> bool:
        if not self._starter.ident:
            self._starter.start()
        return self._ready.is_set()

    def _start(self) -> None:
        try:
            self._stack.enter_context(self._ray)
        except SemcolorError as error:
            _log.warning("%s: the film is made without Ray, more slowly.", str(error).rstrip("."))
        else:
            self._ready.set()
