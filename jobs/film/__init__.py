"""Colorize one film with Ray.

driver     colorize_film: from the settings to the finished files
job        records: what is asked for, what was decided, and the result
attempt    starts the actors and feeds them with chunks
actors     the stages of a film as Ray actors
recovery   new attempts after lost workers
sizing     number of chunks in flight, number of Writers, shared memory
workdir    the work folder, from which an interrupted run continues
events     the log of what happened to a film
"""
