"""Days with real daemons: the network managers of a Debian, beside vlanlink on one host."""
