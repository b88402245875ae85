"""A diagnosis as text, as a picture and as an HTML page."""
