"""The known deviations of each library, and the readings of its documentation."""
