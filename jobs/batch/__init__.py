"""Many films at once.

manifest    what is asked for                 plan        what is to be done
scheduler   which film runs next, and where   task        one film inside a Ray worker
state       the files that say how far the batch is       status      the same, for people
estimate    how long it may take              report      what came of it
"""
