"""Restoration and degradation from file to file."""
