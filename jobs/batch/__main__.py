"""`python -m semcolor.jobs.batch`: runs `semcolor-batch` as a Ray job, where the command itself is not on the path."""

from ..commands.batch import main

main()
