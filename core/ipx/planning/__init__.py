"""What fits with what, from declarations alone. Imports neither torch nor numpy."""
