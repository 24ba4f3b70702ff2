"""Kills processes at random moments while they write, and looks at what the next start finds: `make kills`."""
