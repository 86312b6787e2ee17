"""Two States → the operations that lead from one to the other. Pure."""
