"""Stand-alone scripts, torch only, that show one deviation."""
