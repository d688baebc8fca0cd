"""Evidence: the same small network trained on the same samples, stored in different ways.

`fonts`, `totals` and `photographs` are tasks, `recipe` asks how latents are best given to a network; each is a command.
"""
