"""What a Markdown page holds that tests can check: fenced blocks, links, anchors, options."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    line: int
    """Number of the block's first line."""
    language: str
    text: str


def blocks(path: Path) -> list[Block]:
    """The page's fenced blocks, in order."""
    text = path.read_text(encoding="utf-8")
    found = re.finditer(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [Block(path.name, text[: m.start()].count("\n") + 2, m[1], m[2]) for m in found]


def shell_lines(block: Block) -> list[str]:
    """The commands of a shell block: continued lines joined."""
    return [line for line in block.text.replace("\\\n", " ").splitlines() if line.strip()]


def links(path: Path) -> list[str]:
    """Targets of the page's links and pictures, code left out."""
    return re.findall(r"\]\(([^)\s]+)\)", _prose(path))


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub makes of the page's headings."""
    titles = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def options(path: Path) -> set[str]:
    """Every long option that the page names, in prose and in code."""
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", path.read_text(encoding="utf-8")))


def _prose(path: Path) -> str:
    """The page without fenced and indented blocks and inline code."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`", "", text)
