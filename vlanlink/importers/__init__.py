"""Topologies from other tools: compose files, `docker network inspect`, docker command lines.

Each format becomes a ``Bundle``, a bundle becomes a draft; what no topology can have is left out of
it with a diagnostic. Pure, except for reading the files named.
"""
