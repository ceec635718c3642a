"""Who does the work of an attempt: actors of Ray, or threads of this process.

An `Attempt` feeds its actors in the same way in both. A call of an actor's method returns a reference at once, and a
reference may be an argument of another call. Each actor answers its calls one after another, in order.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent import futures
from concurrent.futures import FIRST_COMPLETED, Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from ...flow.motion import one_thread
from ..devices import count_slots

TICK = 1.0
"""Seconds between two looks whether the crew has ended, for a thread that waits for another."""


MOST_ARTISTS = 4
"""Greatest number of artists in threads. All stages of a film are in one process, and only one of its threads runs
Python at a time; with more artists, processes are faster."""


def artists_in_threads(cores: int, steady: bool) -> int:
    """Number of artists in threads on so many cores. One paints every fourth frame of a steadied film in a fifth of the
    time that all other stages take, so it keeps two cores busy."""
    return min(-(-cores // 2) if steady else cores, MOST_ARTISTS)


class Crew(Protocol):
    """The actors of one attempt. Methods of an actor are called as Ray has it:
    ``actor.method.options(num_returns=2).remote(argument)``."""

    most_artists: int | None
    """Greatest number of artists; None: as many as wanted."""

    def start(self, kind: type, *arguments: object, needs: dict[str, float], here: bool = False) -> Any:
        """Start an actor.

        Args:
            kind: its class.
            arguments: those of its class.
            needs: what Ray reserves for it: `num_cpus`, `num_gpus`.
            here: whether it should run on the driver's node.
        """
        ...

    def get(self, ref: Any) -> Any:
        """The answer behind a reference, or the list of answers behind a list. Raises what the actor raised."""
        ...

    def wait(self, refs: Sequence[Any], timeout: float | None = None) -> Sequence[Any]:
        """Wait until one of the references is ready, for at most `timeout` seconds. Returns those that are."""
        ...

    def ready(self, refs: Iterable[Any]) -> set[Any]:
        """The references that are ready now."""
        ...

    def slots(self, device: str) -> int:
        """Number of GPUs or CPU cores for artists at this moment."""
        ...

    def end(self) -> None:
        """End all actors, also in the middle of a call."""
        ...

    def relieved(self) -> bool:
        """Whether another crew is to take over where the next part of the film ends. Asked after each chunk."""
        ...

    def cause(self, error: Exception) -> BaseException | None:
        """What our code raised in an actor, or what ended the actor; None if the error is of another kind."""
        ...


class RayCrew:
    """Each actor is an actor of the running Ray."""

    most_artists: int | None = None

    def __init__(self) -> None:
        self._actors: list[Any] = []

    def start(self, kind: type, *arguments: object, needs: dict[str, float], here: bool = False) -> Any:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        options: dict[str, Any] = dict(needs)
        if here:
            node = ray.get_runtime_context().get_node_id()
            options["scheduling_strategy"] = NodeAffinitySchedulingStrategy(node, soft=True)
        self._actors.append(ray.remote(kind).options(**options).remote(*arguments))
        return self._actors[-1]

    def get(self, ref: Any) -> Any:
        import ray

        return ray.get(ref)

    def wait(self, refs: Sequence[Any], timeout: float | None = None) -> Sequence[Any]:
        import ray

        return ray.wait(list(refs), num_returns=1, timeout=timeout)[0]

    def ready(self, refs: Iterable[Any]) -> set[Any]:
        import ray

        refs = list(refs)
        return set(ray.wait(refs, num_returns=len(refs), timeout=0, fetch_local=False)[0]) if refs else set()

    def slots(self, device: str) -> int:
        return count_slots(device)

    def end(self) -> None:
        import ray

        for actor in self._actors:
            ray.kill(actor)

    def relieved(self) -> bool:
        return False

    @staticmethod
    def cause(error: Exception) -> BaseException | None:
        from ray.exceptions import RayError, RayTaskError

        found: Any = error if isinstance(error, RayError) else None
        while isinstance(found, RayTaskError):  # Ray wraps it once per actor that it passes
            found = found.cause
        return found


class ThreadCrew:
    """Each actor is a thread of this process, and a reference is a `Future`.

    Nothing is copied, and nothing has to start. OpenVINO, OpenCV, FFmpeg and NumPy let other threads run while they
    compute. OpenCV itself gets one thread, as many threads call it at a time.
    """

    most_artists: int | None = MOST_ARTISTS

    def __init__(self, relieved: Callable[[], bool] = lambda: False) -> None:
        """relieved: see `Crew.relieved`."""
        self.relieved = relieved
        self._raised: Exception | None = None  # what an actor raised
        self._actors: list[_Thread] = []
        self._hold = one_thread()
        self._hold.__enter__()

    def start(self, kind: type, *arguments: object, needs: dict[str, float], here: bool = False) -> Any:
        self._actors.append(_Thread(kind, arguments))
        return self._actors[-1]

    def get(self, ref: Any) -> Any:
        try:
            return [each.result() for each in ref] if isinstance(ref, list) else ref.result()
        except Exception as error:
            self._raised = error
            raise

    def wait(self, refs: Sequence[Any], timeout: float | None = None) -> Sequence[Any]:
        return list(futures.wait(refs, timeout, FIRST_COMPLETED).done)

    def ready(self, refs: Iterable[Any]) -> set[Any]:
        return {ref for ref in refs if ref.done()}

    def slots(self, device: str) -> int:
        return 1

    def end(self) -> None:
        for actor in self._actors:
            actor.interrupt()
        for actor in self._actors:
            actor.thread.join()
        self._hold.__exit__(None, None, None)

    def cause(self, error: Exception) -> BaseException | None:
        return error if error is self._raised else None


class Stopped(BaseException):
    """Raised in a thread, wherever it is, to end it."""


class _Call:
    """A call of an actor's method: its name, arguments, and the references to its results."""

    def __init__(self, name: str, arguments: tuple[object, ...], results: list[Future]) -> None:
        self.name, self.arguments, self.results = name, arguments, results

    def answer(self, actor: Any, ended: threading.Event) -> None:
        """Wait for the arguments, call the method, and hand on what it returns or raises."""
        try:
            arguments = [_value(each, ended) if isinstance(each, Future) else each for each in self.arguments]
            value = getattr(actor, self.name)(*arguments)
        except Stopped:
            raise
        except BaseException as error:
            self.fail(error)
            return
        for result, its in zip(self.results, (value,) if len(self.results) == 1 else value, strict=True):
            result.set_result(its)

    def fail(self, error: BaseException) -> None:
        """Let everybody who waits for a result of this call fail."""
        for result in self.results:
            if not result.done():
                result.set_exception(error)


def _value(ref: Future, ended: threading.Event) -> Any:
    """The result behind a reference. Raises Stopped if the crew ends first."""
    while not ended.is_set():
        if futures.wait([ref], TICK).done:
            return ref.result()
    raise Stopped


class _Thread:
    """An actor in a thread of its own."""

    def __init__(self, kind: type, arguments: tuple[object, ...]) -> None:
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._ended = threading.Event()
        self._call: _Call | None = None
        self._turn = threading.Lock()  # held by who begins or ends a call, and by who interrupts it
        self.thread = threading.Thread(target=self._work, args=(kind, arguments), name=kind.__name__, daemon=True)
        self.thread.start()

    def __getattr__(self, name: str) -> _Method:
        return _Method(self.call, name)

    def call(self, name: str, arguments: tuple[object, ...], returns: int) -> Any:
        """Request a call. Returns the reference to its result, or a list of them if it returns several."""
        results: list[Future] = [Future() for _ in range(returns)]
        self._calls.put(_Call(name, arguments, results))
        return results[0] if returns == 1 else results

    def _work(self, kind: type, arguments: tuple[object, ...]) -> None:
        """Answer calls until `interrupt`."""
        actor = kind(*arguments)
        with suppress(Stopped):
            while self._next():
                self._answer(actor)
        self._refuse()
        if close := getattr(actor, "close", None):
            close()

    def _next(self) -> bool:
        """Wait for the next call. Returns whether there is one."""
        call = self._calls.get()
        with self._turn:
            self._call = None if self._ended.is_set() else call
        if call and not self._call:
            call.fail(Stopped())
        return self._call is not None

    def _answer(self, actor: Any) -> None:
        """Answer the call, and let go of its arguments, which may be large."""
        call = self._call
        assert call
        try:
            call.answer(actor, self._ended)
        except Stopped as stopped:
            call.fail(stopped)
            raise
        with self._turn:
            self._call = None

    def _refuse(self) -> None:
        """Fail the calls that nobody will answer."""
        with suppress(Empty):
            while True:
                if call := self._calls.get_nowait():
                    call.fail(Stopped())

    def interrupt(self) -> None:
        """End the thread: at once if it runs Python, otherwise as soon as it returns to Python."""
        self._ended.set()
        self._calls.put(None)
        with self._turn:
            if self._call and self.thread.ident:
                ident, error = ctypes.c_ulong(self.thread.ident), ctypes.py_object(Stopped)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, error)


class _Method:
    """A method of an actor, to be called as Ray has it."""

    def __init__(self, call: Callable[[str, tuple[object, ...], int], Any], name: str, returns: int = 1) -> None:
        self._call, self._name, self._returns = call, name, returns

    def options(self, num_returns: int = 1) -> _Method:
        return _Method(self._call, self._name, num_returns)

    def remote(self, *arguments: object) -> Any:
        return self._call(self._name, arguments, self._returns)
