"""What 300 epochs leave behind: `python -m benchmarks.epochs`.

A small dataset of noise, read from its folder and over HTTP, with no workers, with two, and with two that stay; every
other epoch is broken off after three steps. Of the process that trains: anonymous and shared memory, open files,
threads, children, what it or nobody has left in /dev/shm; of the cache: its bytes. Linux only.
"""

import argparse
import gc
import os
import re
import subprocess
import sys
import tempfile
import warnings
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from itertools import islice, product
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from PIL import Image

from benchmarks.results import add_save, show
from walloc_data import ImageReader, Options, StorageOptions, StreamingLatentDataset, shard_dataset

LOADERS: dict[str, dict[str, Any]] = {
    "no workers": {},
    "2 workers": {"num_workers": 2},
    "2 that stay": {"num_workers": 2, "persistent_workers": True},
}
HEAD = ("MB", "open files", "threads", "children", "in /dev/shm", "cache, kB")


def main() -> None:
    """Run each kind, print, and save if asked."""
    parser = argparse.ArgumentParser(description="What many epochs leave behind.")
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--samples", type=int, default=256)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    add_save(parser)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve)
        return
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    marks = sorted({min(20, arguments.epochs), arguments.epochs // 2, arguments.epochs})
    rows = [("from", "loader", "after epochs", *HEAD)]
    with tempfile.TemporaryDirectory() as scratch:
        folder, cache = Path(scratch, "latents"), Path(scratch, "cache")
        noise = np.random.default_rng(0).integers(0, 256, (arguments.samples, 64, 64, 3), np.uint8)
        pictures = Path(scratch, "pictures")
        pictures.mkdir()
        for number, picture in enumerate(noise):
            Image.fromarray(picture).save(pictures / f"{number:05d}.png")
        shard_dataset(pictures, folder, reader=ImageReader(size=64), options=Options(block=16, shard_samples=64))
        server = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.epochs", "--serve", str(folder)], stdout=subprocess.PIPE, text=True
        )
        try:
            assert server.stdout is not None
            roots = {"a folder": str(folder), "HTTP": server.stdout.readline().strip()}
            for (place, root), (kind, options) in product(roots.items(), LOADERS.items()):
                storage = StorageOptions(cache_dir=cache)
                stream = StreamingLatentDataset(root, batch_size=16, columns=(), storage=storage)
                loader = stream.loader(**options)
                for epoch in range(1, arguments.epochs + 1):
                    for _ in islice(loader, 3 if epoch % 2 else None):
                        pass
                    if epoch in marks:
                        rows.append((place, kind, str(epoch), *left(cache, {server.pid})))
                        print(*rows[-1], flush=True)
                del loader, stream
        finally:
            server.terminate()
            server.wait()
    show("epochs", rows, save=arguments.save, samples=arguments.samples)


def left(cache: Path, others: set[int]) -> tuple[str, ...]:
    """The figures of `HEAD`; children without `others`."""
    gc.collect()
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    kilobytes = sum(int(status[kind].split()[0]) for kind in ("RssAnon", "RssShmem"))
    children = {
        int(child) for task in Path("/proc/self/task").iterdir() for child in (task / "children").read_text().split()
    }
    files = [path.stat().st_size for path in cache.rglob("*") if path.is_file()]
    figures = (
        kilobytes // 1000,
        len(os.listdir("/proc/self/fd")),
        len(os.listdir("/proc/self/task")),
        len(children - others),
        sum(not _of_others(name, children) for name in os.listdir("/dev/shm")),
        sum(files) // 1000,
    )
    return tuple(map(str, figures))


def _of_others(name: str, children: set[int]) -> bool:
    """Whether another program that runs has made what lies in /dev/shm: names have the number of their process."""
    numbers = map(int, re.findall(r"\d+", name))
    return any(Path(f"/proc/{n}").exists() and n not in {os.getpid(), *children} for n in numbers)


def serve(folder: Path) -> None:
    """Serve a folder with ranges, in a process of its own; its URL is the first line of what it prints."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Ranges, directory=str(folder)))
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()


class _Ranges(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def send_head(self) -> BytesIO | BinaryIO | None:
        path = Path(self.translate_path(self.path))
        wanted = self.headers.get("Range", "")
        if not wanted.startswith("bytes=") or not path.is_file():
            return super().send_head()
        data = path.read_bytes()
        start, _, stop = wanted.removeprefix("bytes=").partition("-")
        first, last = int(start), min(int(stop or len(data)), len(data) - 1)
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        self.send_header("Content-Length", str(last + 1 - first))
        self.end_headers()
        return BytesIO(data[first : last + 1])

    def log_message(self, *_: Any) -> None:
        pass


if __name__ == "__main__":
    main()
