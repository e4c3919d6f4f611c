"""The verbs: one file each, between the command line and the rotation."""
