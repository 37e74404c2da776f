"""The named queries' plans: asked of the server as JSON, turned into facts, judged. See `pam.workload`."""
