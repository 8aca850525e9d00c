"""The paths of the bench (测量项), a file for each group that shares its servers and its rounds."""
