"""Images, records and panels on disk."""
