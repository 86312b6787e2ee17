"""A bare Debian behind `scripts/bare`: the README commands where nothing is installed yet."""
