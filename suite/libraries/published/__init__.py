"""results/libraries/: the matrix of libraries as tables, a picture and a page."""
