"""Diagnosis of the installation, and new plugin packages."""
