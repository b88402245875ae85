"""The pass of the batched trainer in C, for a CPU with a compiler."""
