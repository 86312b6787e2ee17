"""The integration lab behind `scripts/lab`: three virtual machines on a trunk."""
