"""Networks that are loaded when they are first used."""

from __future__ import annotations

import numpy as np

from ...models import pick_device
from ...models.backends import Amend
from ...models.painter import Painter
from ..film import Film
from ..look import Look
from ..reader import thumb_size


class LatePainter:
    """Networks that are loaded when they are first used, so that nobody waits for what is not needed yet. One
    thread uses them."""

    def __init__(self, film: Film, look: Look, device: str) -> None:
        """
        Args:
            film: the film that will be painted.
            look: the options that decide the colours.
            device: ``auto``, ``cpu`` or ``cuda``.
        """
        self._film, self._look, self._device = film, look, device
        self._painter: Painter | None = None

    def paint(self, thumbs: np.ndarray, amend: Amend | None = None) -> tuple[np.ndarray, np.ndarray]:
        """As `Painter.paint`."""
        if self._painter is None:
            look, size = self._look, thumb_size(self._film, self._look.size)
            self._painter = Painter(pick_device(self._device), weights=look.weights, vivid=look.vivid, size=size)
        return self._painter.paint(thumbs, amend)

    def close(self) -> None:
        """Leave the networks to others."""
        if self._painter:
            self._painter.close()
            self._painter = None
