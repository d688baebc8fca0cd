"""Which rank of how many this process is."""

import os

import torch.distributed

from walloc_data.errors import DatasetError

__all__ = ["rank_and_world"]


def rank_and_world(rank: int | None, world_size: int | None) -> tuple[int, int]:
    """What is given; or what torch.distributed, if initialised, or `RANK` and `WORLD_SIZE` say; or (0, 1)."""
    if (rank is None) != (world_size is None):
        raise DatasetError("rank and world_size are given together, or neither")
    if rank is None or world_size is None:
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            rank, world_size = torch.distributed.get_rank(), torch.distributed.get_world_size()
        else:
            try:
                rank, world_size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
            except ValueError as error:
                raise DatasetError("the environment's RANK and WORLD_SIZE are not whole numbers") from error
    if not 0 <= rank < world_size:
        raise DatasetError(f"rank {rank} is not one of {world_size} ranks, which count from 0")
    return rank, world_size
