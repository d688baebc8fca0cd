"""Evidence: the same small network trained on the same samples, stored in different ways.

`fonts`, `totals`, `receipts`, `photographs`, `tokens` (fonts by a transformer), `colorization`, and of sound
`separation` and `digits` are tasks. `recipe` and `augmentation` ask how latents are best given to a network,
`encoders` which codec to take, `originals` what reading costs where files stay as they came. Each is a command. Of
images, sizes, epochs and the rate of learning were fixed on pixels downscaled by 2 alone and with one seed. What about
half as many epochs more gain there: `fonts` 2.3 points (10 to 15), `totals` 0.5 (8 to 12), `photographs` 0.3 (20 to
30), `colorization` 0.03 dB (4 to 6). `receipts`, where 6 epochs gain 3.3 points on 4, and `tokens` stopped for what
they cost.
"""
