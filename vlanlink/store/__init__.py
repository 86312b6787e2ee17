"""What is kept on disk: records, leases, pending commits, the lock."""
