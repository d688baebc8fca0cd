"""What maintainers and newcomers run."""
