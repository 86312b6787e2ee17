"""Who must reach whom, who does, and why not. All but ``measuring`` is pure."""
