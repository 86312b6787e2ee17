"""Frames on the wire: ARP, neighbour discovery, echo requests."""
