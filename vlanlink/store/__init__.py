"""What vlanlink keeps on disk: records of what is up, leases, the lock, pending changes."""
