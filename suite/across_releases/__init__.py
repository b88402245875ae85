"""The same cases on every torch release: the atlas, and what changed between two releases."""
