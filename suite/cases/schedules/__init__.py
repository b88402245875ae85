"""The compositions of the cases."""
