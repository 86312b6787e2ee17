"""Pictures of a topology: SVG, a page of HTML, a tree. Pure.

A ``Scene`` is what there is to draw, whatever the format: wires with VLANs on them, networks on
those, endpoints in these.
"""
