"""A call of one library's schedule, written in another library, and checked by running both."""
