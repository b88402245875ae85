"""What a library declares, the cases made of it, the script of a case, and the verdict on its learning rates."""
