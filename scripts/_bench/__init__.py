"""Times vlanlink against what else makes the same networks: the machinery of `scripts/bench`."""
