"""The files of any release of a library: found with pip, read from its wheel in parts, kept in the cache."""
