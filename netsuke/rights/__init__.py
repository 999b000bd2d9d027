"""rights: what a file, and what lies around it, says of its licence and of training."""
