"""Who is expected to reach whom, who does, and why not. All but ``measure`` is pure."""
