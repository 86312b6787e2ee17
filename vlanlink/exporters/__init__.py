"""A topology in the words of other tools: an iproute2 script, networkd units, CNI conflists. Pure.

All of them start from a ``Blueprint``: the desired State on a machine that has the parents and
nothing else, and the operations that lead there.
"""
