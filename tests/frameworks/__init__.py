"""Training scripts as users of each framework write them; `test_frameworks` runs them in processes of their own."""
