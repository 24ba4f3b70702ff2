"""What is on the canvas and where it lies. No painting, no mouse."""
