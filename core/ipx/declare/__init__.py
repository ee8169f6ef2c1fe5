"""Declarations of components. Imports neither torch nor numpy."""
