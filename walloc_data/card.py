"""The dataset card: `README.md` of a dataset, for people and for the Hugging Face Hub."""

from walloc_data.format import Manifest
from walloc_data.info import readable_bytes, readable_psnr

__all__ = ["dataset_card"]


def dataset_card(manifest: Manifest) -> str:
    """Markdown with the YAML head that names each split's tars, so that sidecars never confuse a reader."""
    head = ["---", "configs:", "- config_name: default", "  data_files:"]
    for split in manifest.splits:
        head += [f"  - split: {split}", f'    path: "{split}-*.tar"']
    head += ["tags:", "- walloc", "- webdataset", "---"]
    split = next(iter(manifest.splits))
    rows = [
        f"| {name} | {manifest.samples(name):,} | {len(shards)} | {sum(s.bytes for s in shards):,} |"
        for name, shards in manifest.splits.items()
    ]
    summary = manifest.summary
    return "\n".join(
        [
            *head,
            "",
            "# Latents",
            "",
            f"Samples encoded with the WaLLoC codec `{manifest.codec}` (fingerprint `{manifest.fingerprint}`), coder "
            f"`{manifest.coder}`: {8 * summary['payload_bytes'] / max(1, summary['latents']):.2f} bits a latent, "
            f"{readable_psnr(summary['psnr'])}, {readable_bytes(summary['source_bytes'])} of files in "
            f"{readable_bytes(sum(shard.bytes for shards in manifest.splits.values() for shard in shards))} of shards.",
            "",
            "| split | samples | shards | bytes |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
            "```python",
            "from walloc_data import LatentDataset",
            "",
            f'dataset = LatentDataset("path/to/this/folder", split="{split}")',
            "latents, label = dataset[0]",
            "```",
            "",
        ]
    )
