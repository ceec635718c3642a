"""Everything that runs on Ray: the actors of one film, its driver, and the commands."""
