"""A synthetic language whose entropy is a closed form: the second task of the toy trainers."""
