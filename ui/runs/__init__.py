"""What is computed: the engine seen from the window, what it said, and the pictures that it made."""
