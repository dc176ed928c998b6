"""Logs for TensorBoard, written without it: ``SummaryWriter``.

    with SummaryWriter("runs/first") as writer:
        writer.add_scalar("loss", 0.5, 1)
"""

from __future__ import annotations

from tinytorch.utils.tensorboard.records import EventFile as FileWriter
from tinytorch.utils.tensorboard.writer import SummaryWriter

__all__ = ["FileWriter", "SummaryWriter"]
