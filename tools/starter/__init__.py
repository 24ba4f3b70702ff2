"""Parts of the starter model's training script: one responsibility a module."""
