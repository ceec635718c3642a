"""Small files that tests write."""

import json
from pathlib import Path


def write(path: Path, content: object) -> Path:
    """Write text as it is and any other content as JSON. Returns `path`."""
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def touch(path: Path, size: int = 1) -> Path:
    """Write `size` bytes, in a folder that is made if it is not there. Returns `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    return path
