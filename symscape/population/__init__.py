"""Population losses by mpmath, from the expression alone: a witness that owes nothing to the engine of landscapes."""
