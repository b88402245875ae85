"""House rules: import order, file sizes, wording, and the README."""
