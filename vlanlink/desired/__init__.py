"""Topology + observed State → desired State. Pure: no kernel, no files, no clock."""
