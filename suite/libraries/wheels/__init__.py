"""The files of a release of a library: found through pip, read in parts, kept in the cache."""
