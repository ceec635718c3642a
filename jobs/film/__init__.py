"""One film through Ray.

driver     colorize_film: from the settings to the finished files
attempt    the actors, and the loop that feeds them
recovery   what happens when a worker is lost
actors     the stages of a film as Ray actors
workdir    the folder that a run goes on from
"""
