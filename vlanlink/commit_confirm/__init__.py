"""Commit or revert: a change that goes back by itself unless somebody confirms it."""
