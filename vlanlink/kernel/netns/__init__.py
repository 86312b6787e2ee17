"""Network namespaces: found, made, entered, told apart."""
