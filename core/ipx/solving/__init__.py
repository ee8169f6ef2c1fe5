"""The problem, its bridges, the loop, and the restoration."""
