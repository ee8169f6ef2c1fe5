"""What components declare. Imports neither torch nor numpy."""
