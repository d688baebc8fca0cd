"""Evidence: the same small network trained on the same samples, stored in different ways; each task is a file.

`python -m benchmarks.tasks TASK`. Of images, sizes, epochs and the rate of learning were fixed on pixels downscaled by
2 alone and with one seed.
"""
