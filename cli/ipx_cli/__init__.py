"""The command line of ipx: click only, no mathematics."""
