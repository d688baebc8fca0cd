"""What a page says of a dataset, gathered."""

from dataclasses import dataclass

from walloc_data.read.opened import OpenedDataset
from walloc_data.report.page.samples import Judged
from walloc_data.report.page.scan import Scan

__all__ = ["Facts", "without_folder"]


@dataclass(frozen=True)
class Facts:
    """All that a page says, but for the samples that it shows."""

    opened: OpenedDataset
    split: str
    scan: Scan
    judged: Judged
    purposes: dict[str, int]
    against: bool

    @property
    def title(self) -> str:
        """What the dataset is called."""
        url = self.opened.storage.url.rstrip("/")
        return "/".join(url.split("/")[-2:]) if url.startswith("hf://") else url.rpartition("/")[2] or url

    @property
    def damaged(self) -> list[str]:
        """What is wrong, each once, without the folder that all of it is in."""
        every = dict.fromkeys([*self.scan.damaged, *self.judged.damaged])
        return [without_folder(each, self.opened) for each in every]

    @property
    def counted(self) -> str:
        """Of which samples something was counted, where those are not all."""
        if self.scan.whole:
            return ""
        return f", counted in {self.scan.samples:,} of {self.opened.manifest.summary.samples:,} samples"


def without_folder(message: str, opened: OpenedDataset) -> str:
    """What is said of a file of a dataset, which a page that travels does not place on this machine."""
    return message.replace(f"{opened.storage.url}/", "")
