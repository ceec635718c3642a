"""Code that runs on Ray: the actors and the driver of one film, batches of films, and the commands."""
