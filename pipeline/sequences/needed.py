"""Packages of the extra ``[scans]``, imported when a picture needs them."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from ...errors import UserError


def needed(package: str, path: Path) -> Any:
    """A package that a picture needs. Raises UserError, one sentence, if it is not installed."""
    try:
        return import_module(package)
    except ImportError as error:
        raise UserError(f"{path} needs the package {package}: pip install 'semcolor[scans]'.") from error
