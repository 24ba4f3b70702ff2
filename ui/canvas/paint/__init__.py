"""How what is on the canvas looks."""
