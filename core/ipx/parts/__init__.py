"""Base classes of the components that a problem is made of."""
