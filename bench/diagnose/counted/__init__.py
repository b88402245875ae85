"""What was counted is the explanation: faults that need no fit, and causes that the counts rule out."""
