"""The schedules of public libraries, each with the release it was read in."""
