"""Pictures, records and panels on disk."""
