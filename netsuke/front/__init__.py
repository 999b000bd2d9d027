"""front: what the verbs of the command line and the pages of the studio share."""
