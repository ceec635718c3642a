"""`python -m semcolor.jobs.batch`: `semcolor-batch` for Ray jobs, whose workers have no commands on their path."""

from ..commands.batch import main

main()
