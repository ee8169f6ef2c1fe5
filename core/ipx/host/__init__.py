"""The installation: its health, new plugin packages."""
