"""The scheduler files of torch releases: fetched, cached and loaded."""
