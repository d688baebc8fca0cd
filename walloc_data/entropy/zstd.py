"""The coder `zstd`: prediction within channels, then a Zstandard frame a sample. The fastest to decode."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import zstandard
from numpy.typing import NDArray

from walloc_data.entropy.prediction import PREDICTORS, choose_predictors, from_residuals, to_residuals, warm_up
from walloc_data.errors import CoderError

__all__ = ["ZstdCoder"]

_DICTIONARY_BYTES = 4096
_DICTIONARY_MOST = 1 << 16  # latents of a sample; one of more has statistics enough of its own
_SCRATCH = 1 << 19  # residuals at a time of which a prefix is kept: what a core's cache holds
_HEADS = np.arange(18)  # bytes of a frame's header, at most
_DICTIONARY_WORTH = 0.99  # of the bytes without: below it, the dictionary stays


class ZstdCoder:
    """Residuals of a fixed predictor a channel, compressed with Zstandard, with a dictionary where one pays.

    Latents are noise to a dictionary coder: what it finds is their skew. So the match search is
    as shallow as it gets, and the time goes to the optimal parser, whose block splitter gives runs
    of like channels a Huffman table of their own (2.74 bits a latent at 26 MB/s, where level 19
    reaches the same at 4 MB/s: `rgb-f8c12`, photographs of 256 pixels). Matches of fewer than 6 bytes cost more
    than they save, in bits and in time to decode.
    A dictionary pays for small samples only, so `fit` keeps one only where it saves a per cent.
    """

    id: ClassVar[int] = 1
    name: ClassVar[str] = "zstd"
    bits_are: ClassVar[str] = "order-0 entropies of residuals, which frames come near"

    def __init__(self, predictors: NDArray[np.uint8], dictionary: bytes = b"") -> None:
        """`predictors` is uint8 `[c]` (see `prediction`); `dictionary` a Zstandard dictionary or empty."""
        if predictors.dtype != np.uint8 or predictors.ndim != 1 or not len(predictors):
            raise CoderError("zstd tables: predictors must be uint8 of one dimension, one a channel")
        if predictors.max() >= len(PREDICTORS):
            raise CoderError(f"zstd tables: predictor {predictors.max()} is unknown: upgrade walloc_data")
        self.predictors, self.dictionary = predictors, dictionary
        self._idle: deque[zstandard.ZstdDecompressor] = deque()  # one that two threads share ends the process

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.predictors, self.dictionary)

    @classmethod
    def fit(cls, latents: Sequence[NDArray[np.int8]]) -> "ZstdCoder":
        """Predictors, and a dictionary if it pays, from int8 arrays `[c, *space]`."""
        if not latents:
            raise CoderError("a coder cannot be fitted to no samples")
        plain = cls(choose_predictors(latents))
        half = len(latents) // 2
        if half < 8 or latents[0].size > _DICTIONARY_MOST:
            return plain
        residuals: list[bytes | bytearray | memoryview] = [
            to_residuals(sample[None], plain.predictors).tobytes() for sample in latents[:half]
        ]
        try:
            dictionary = zstandard.train_dictionary(_DICTIONARY_BYTES, residuals).as_bytes()
        except zstandard.ZstdError:  # too little data, or all of it alike
            return plain
        trained = cls(plain.predictors, dictionary)
        sizes = [sum(len(coder.encode(sample[None])[0]) for sample in latents[half:]) for coder in (plain, trained)]
        return trained if sizes[1] < _DICTIONARY_WORTH * sizes[0] else plain

    def encode(self, latents: NDArray[np.int8]) -> list[bytes]:
        """One frame a sample of `int8 [N, c, *space]`."""
        self._check(latents)
        parameters = zstandard.ZstdCompressionParameters(
            compression_level=13,
            strategy=zstandard.STRATEGY_BTOPT,
            search_log=1,
            min_match=6,
            target_length=32,
            hash_log=14,
            chain_log=14,
            window_log=17,
            write_content_size=True,
            write_checksum=False,
            write_dict_id=False,
        )
        compressor = zstandard.ZstdCompressor(compression_params=parameters, dict_data=self._dictionary())
        residuals = to_residuals(latents, self.predictors)
        return [compressor.compress(np.ascontiguousarray(sample).data) for sample in residuals]

    def decode(self, buffer: Any, segments: NDArray[np.uint64], out: NDArray[np.int8]) -> None:
        """Fill `out`, C-contiguous `int8 [N, k, *space]`; see `Coder.decode`. Of a prefix, the rest stays residuals."""
        kept, channels = out.shape[1], len(self.predictors)
        self._check(out, least=1)
        if segments.shape != (len(out), 2) or not out.flags.c_contiguous:
            raise CoderError(f"{len(out)} samples need as many segments, and a C-contiguous array to be decoded to")
        if kept == channels:
            self._expand(buffer, segments, out)
        else:
            step = max(1, _SCRATCH // max(1, channels * out[:1, 0].size))
            scratch = np.empty((min(step, len(out)), channels, *out.shape[2:]), np.int8)
            for start in range(0, len(out), step):
                some = segments[start : start + step]
                self._expand(buffer, some, scratch[: len(some)])
                out[start : start + step] = scratch[: len(some), :kept]
        from_residuals(out, self.predictors[:kept])

    def warm_up(self, channels: int | None = None) -> None:
        """See `Coder.warm_up`."""
        if self.predictors.any():
            warm_up()

    def bits_by_channel(self, latents: Sequence[NDArray[np.int8]]) -> NDArray[np.float64]:
        """Order-0 entropy of residuals, float64 `[c]`, of int8 arrays `[c, *space]`, in bits a latent.

        Frames do not tell channels apart, and are some per cent smaller or larger than this.
        """
        counts = np.zeros((len(self.predictors), 256))
        for sample in latents:
            self._check(sample[None])
            for channel, residuals in enumerate(to_residuals(sample[None], self.predictors)[0]):
                counts[channel] += np.bincount(residuals.ravel().view(np.uint8), minlength=256)
        share = counts / counts.sum(1, keepdims=True)
        return np.asarray(-(share * np.log2(np.where(share > 0, share, 1.0))).sum(1), np.float64)

    def _expand(self, buffer: Any, segments: NDArray[np.uint64], out: NDArray[np.int8]) -> None:
        """Frames to `out`, each to its place, since each is of the size that it says: all in one call of zstandard."""
        if not len(out):
            return
        view, size = memoryview(buffer).cast("B"), out[0].nbytes
        starts, lengths = segments.T
        ends = starts + lengths
        if ends.max() > len(view) or (ends < starts).any():
            raise CoderError(f"a payload lies outside of the {len(view)} bytes it should be in")
        if (starts[1:] == ends[:-1]).all():
            frames = view[int(starts[0]) : int(ends[-1])]
        else:
            frames = memoryview(b"".join([view[start:end] for start, end in zip(starts, ends, strict=True)]))
        try:
            whole = _all_say(size, frames, lengths)
            if whole:
                decompressor = self._decompressor()
                reader = decompressor.stream_reader(frames, read_across_frames=True)
                whole = out.nbytes == reader.readinto(out.reshape(-1).view(np.uint8).data)
                self._idle.append(decompressor)
        except (zstandard.ZstdError, ValueError) as error:
            raise CoderError(f"a payload is no Zstandard frame of {size} latents: {error}") from error
        if not whole:
            raise CoderError(f"a payload does not hold the {size} latents it should")

    def tables(self) -> dict[str, NDArray[Any]]:
        """`predictors` uint8 `[c]`, and `dictionary` uint8 where there is one."""
        tables: dict[str, NDArray[Any]] = {"predictors": self.predictors}
        if self.dictionary:
            tables["dictionary"] = np.frombuffer(self.dictionary, np.uint8)
        return tables

    @classmethod
    def from_tables(cls, tables: Mapping[str, NDArray[Any]]) -> "ZstdCoder":
        """The inverse of `tables`."""
        if "predictors" not in tables:
            raise CoderError("zstd tables: predictors are missing")
        dictionary = tables.get("dictionary", np.zeros(0, np.uint8))
        if dictionary.dtype != np.uint8 or dictionary.nbytes > 1 << 24:
            raise CoderError("zstd tables: the dictionary must be at most 16 MiB of uint8")
        return cls(np.ascontiguousarray(tables["predictors"]), dictionary.tobytes())

    def _decompressor(self) -> zstandard.ZstdDecompressor:
        try:
            return self._idle.pop()
        except IndexError:
            return zstandard.ZstdDecompressor(dict_data=self._dictionary())

    def _dictionary(self) -> zstandard.ZstdCompressionDict | None:
        return zstandard.ZstdCompressionDict(self.dictionary) if self.dictionary else None

    def _check(self, latents: NDArray[np.int8], least: int | None = None) -> None:
        channels = len(self.predictors)
        if (
            latents.dtype != np.int8
            or not 3 <= latents.ndim <= 5
            or not (least or channels) <= latents.shape[1] <= channels
        ):
            raise CoderError(
                f"this coder takes int8 [N, {channels}, 1 to 3 space dims], not {latents.dtype} {list(latents.shape)}"
            )


def _all_say(size: int, frames: memoryview, lengths: NDArray[np.uint64]) -> bool:
    """Whether frames, one behind the other, each say that they hold `size` bytes. Who begins alike, says the same."""
    ends = lengths.cumsum().astype(np.int64)
    starts = ends - lengths.astype(np.int64)
    head = zstandard.frame_header_size(frames[: int(ends[0])])
    if lengths.min() >= head:
        heads = np.frombuffer(frames, np.uint8)[starts[:, None] + _HEADS[:head]]
        if (heads == heads[0]).all():
            starts, ends = starts[:1], ends[:1]
    spans = zip(starts.tolist(), ends.tolist(), strict=True)
    return {zstandard.frame_content_size(frames[start:end]) for start, end in spans} == {size}
