"""Payloads of a batch to latents: of several shapes and coders, and where one of them is not what it should be."""

import zlib

import numpy as np
import pytest

from walloc_data.entropy import RansCoder, ZstdCoder
from walloc_data.read.payloads import Payloads, decode_payloads

SHAPES = [(3, 8, 9), (3, 4, 20)]


def samples(shape, count):
    return np.random.default_rng(count).normal(0, 3, (count, *shape)).round().astype(np.int8)


def part(coder, latents, places, change=lambda payloads: payloads):
    payloads = change(coder.encode(latents))
    crcs = [zlib.crc32(sample.tobytes()) for sample in latents]
    sizes = [len(payload) for payload in payloads]
    stored = np.array([[sum(sizes[:i]), size, crc] for i, (size, crc) in enumerate(zip(sizes, crcs, strict=True))])
    return Payloads(np.array(places), b"".join(payloads), stored, latents.shape[1:], coder)


@pytest.mark.parametrize("kind", [ZstdCoder, RansCoder])
def test_places_are_filled_whatever_the_parts(kind):
    one, two = (kind.fit(list(samples(SHAPES[0], count))) for count in (40, 50))
    x, y, z = samples(SHAPES[0], 4), samples(SHAPES[1], 3), samples(SHAPES[0], 2)
    found, broken = decode_payloads([part(one, x, [6, 0, 3, 1]), part(one, y, [2, 8, 4]), part(two, z, [7, 5])])
    assert not broken.any()
    want = {6: x[0], 0: x[1], 3: x[2], 1: x[3], 2: y[0], 8: y[1], 4: y[2], 7: z[0], 5: z[1]}
    assert all((found[place] == latents).all() for place, latents in want.items())
    found, broken = decode_payloads([part(one, x, [5, 0, 3, 1]), part(two, z, [4, 2])])
    assert isinstance(found, np.ndarray)
    assert not broken.any()
    assert (found == np.stack([x[1], x[3], z[1], x[2], z[0], x[0]])).all()


@pytest.mark.parametrize("kind", [ZstdCoder, RansCoder])
@pytest.mark.parametrize(
    "change",
    [
        lambda payload, _: payload + payload,
        lambda payload, _: payload + b"\0",
        lambda payload, _: payload[:-1],
        lambda payload, other: other,
        lambda payload, _: b"",
    ],
)
def test_a_wrong_payload_spoils_no_other_unnoticed(kind, change):
    coder, x = kind.fit(list(samples(SHAPES[0], 40))), samples(SHAPES[0], 6)

    def spoil(payloads):
        return [*payloads[:2], change(payloads[2], payloads[5]), *payloads[3:]]

    spoilt = part(coder, x, range(6), spoil)
    found, broken = decode_payloads([spoilt])
    assert all(broken[i] or (found[i] == x[i]).all() for i in range(6))
    assert not broken[:2].any()
    [_], [still] = decode_payloads([part(coder, x[:1], [0], lambda _: [b""])])
    assert still
    for i in (0, 1, 3, 4, 5):  # as a reader tries what is broken once more
        alone = spoilt._replace(places=np.zeros(1, np.int64), stored=spoilt.stored[i : i + 1])
        [again], [still] = decode_payloads([alone])
        assert not still
        assert (again == x[i]).all()
