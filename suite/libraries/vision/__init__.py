"""Libraries for images and diffusion."""
