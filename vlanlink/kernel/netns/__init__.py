"""Network namespaces: find, create, enter, identify."""
