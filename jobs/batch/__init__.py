"""Colorize many films, several at once.

wish        the settings of one film
manifest    reads the request: which films, with which settings
plan        turns the request into a plan
scheduler   starts the films of the plan, and repeats those that fail
task        makes one film, inside a Ray worker
state       the files that record how far the batch is
status      shows people how far the batch is
estimate    estimates how long the batch may take
report      writes the summary at the end
"""
