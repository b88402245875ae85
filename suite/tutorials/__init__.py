"""The code of two public tutorials, and what it does."""
