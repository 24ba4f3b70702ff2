"""What every room stands on: the look, the words, the settings, the folders of state. Knows nothing of graphs."""
