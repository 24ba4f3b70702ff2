"""The window around it all, and the way the program starts."""
