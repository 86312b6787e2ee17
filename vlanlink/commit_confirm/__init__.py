"""Confirmed commits: a change is rolled back unless somebody confirms it."""
