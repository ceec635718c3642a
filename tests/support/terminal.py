"""A terminal in memory."""

import io
import re

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
"""ANSI control sequences: colours, movements of the cursor, erasures."""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    def text(self) -> str:
        """All that was ever shown, without control sequences."""
        return CONTROL.sub("", self.getvalue())
