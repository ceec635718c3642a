"""`python -m semcolor`: the commands, where none of them is on the path.

    python -m semcolor INPUT …          as semcolor-video INPUT …
    python -m semcolor video INPUT …    the same
    python -m semcolor batch …          as semcolor-batch …
    python -m semcolor desk …           as semcolor-desk …
    python -m semcolor train …          as semcolor-train …

A film whose name is `video`, `batch`, `desk` or `train` is given as `./video`.
"""

import sys
from importlib import import_module

COMMANDS = ("video", "batch", "desk", "train")


def main() -> None:
    """Run the command that the first argument names; without one, `semcolor-video`."""
    name = sys.argv.pop(1) if sys.argv[1:2] and sys.argv[1] in COMMANDS else "video"
    import_module(f".jobs.commands.{name}", __package__).main()


if __name__ == "__main__":
    main()
