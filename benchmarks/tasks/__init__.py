"""Evidence: the same small network trained on the same samples, stored in different ways; each task is a file."""
