"""The test rig behind `scripts/vm` and `scripts/test`: standard library only."""
