"""semcolor: black-and-white film in, colour film out.

The four floors, top down: `jobs` (Ray), `pipeline` (films), `models` (networks) and `flow` (motion).
"""

__version__ = "0.1.0"
