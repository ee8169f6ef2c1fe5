"""Reports: one HTML file for a run, for a folder of runs, for a comparison. No network is used."""
