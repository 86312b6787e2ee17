"""Lead a machine to a topology: observe, resolve, plan, probe, apply, verify, announce."""
