"""Attachments: endpoints whose namespaces others own and end at any time, such as containers.

An attachment goes the way of every endpoint (resolve, plan, apply, verify), for its one network and
its one namespace: nothing else of the topology is read.
"""
