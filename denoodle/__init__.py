"""The front door: the `denoodle` command, with a window and without one."""
