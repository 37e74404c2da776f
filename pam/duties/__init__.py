"""What people do to rows besides editing them: revoke, suspend, terminate. One file per subject, `work.py` for all."""
