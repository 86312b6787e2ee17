"""Topology → desired State, with the parts that ``resolve`` is made of. Pure."""
