"""SummaryWriter: what a training run logs, in files that TensorBoard shows."""

from __future__ import annotations

import os
import time
from typing import Any

from tinytorch.utils.tensorboard import summary
from tinytorch.utils.tensorboard.graph import graph_def
from tinytorch.utils.tensorboard.messages import blob
from tinytorch.utils.tensorboard.pictures import (
    as_bytes_image,
    draw_boxes,
    figure_image,
)
from tinytorch.utils.tensorboard.records import EventFile

__all__ = ["SummaryWriter"]


class SummaryWriter:
    """Writes scalars, histograms, images, texts and graphs to a directory.

    Args:
        log_dir: The directory, by default ``runs/<date>_<time>_<host><comment>``.
        comment: Ends the name of the default directory.
        purge_step: TensorBoard drops what was logged from this step on, for a run that
            resumes after a crash.
        max_queue: How many events may wait before they are written.
        flush_secs: How many seconds they may wait.
        filename_suffix: Ends the names of the files.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] | None = None,
        comment: str = "",
        purge_step: int | None = None,
        max_queue: int = 10,
        flush_secs: float = 120,
        filename_suffix: str = "",
    ) -> None:
        if not log_dir:
            import socket

            now = time.strftime("%b%d_%H-%M-%S")
            log_dir = os.path.join("runs", f"{now}_{socket.gethostname()}{comment}")
        self.log_dir = os.fspath(log_dir)
        self.purge_step = purge_step
        self.max_queue = max_queue
        self.flush_secs = flush_secs
        self.filename_suffix = filename_suffix
        self._files: dict[str, EventFile] = {}
        file = self._file()
        if purge_step is not None:
            # a session log whose status is START makes TensorBoard drop later steps
            file.add(blob(7, b"\x08\x01"), purge_step, None)

    def get_logdir(self) -> str:
        """Return the directory of the files."""
        return self.log_dir

    def _file(self, run: str = "") -> EventFile:
        """Return the event file of a run below the directory."""
        file = self._files.get(run)
        if file is None:
            path = os.path.join(self.log_dir, run) if run else self.log_dir
            file = EventFile(path, self.max_queue, self.flush_secs,
                             self.filename_suffix)
            self._files[run] = file
        return file

    # ---- numbers ----

    def add_scalar(
        self,
        tag: str,
        scalar_value: Any,
        global_step: int | None = None,
        walltime: float | None = None,
        new_style: bool = False,
        double_precision: bool = False,
    ) -> None:
        """Log a number: a float, or a tensor of one element."""
        value = summary.scalar(tag, scalar_value, new_style, double_precision)
        self._file().add_summary(value, global_step, walltime)

    def add_scalars(
        self,
        main_tag: str,
        tag_scalar_dict: dict[str, Any],
        global_step: int | None = None,
        walltime: float | None = None,
    ) -> None:
        """Log several numbers that TensorBoard draws in one chart, each as a run."""
        if walltime is None:
            walltime = time.time()
        for tag, value in tag_scalar_dict.items():
            run = f"{main_tag.replace('/', '_')}_{tag}"
            scalar = summary.scalar(main_tag, value)
            self._file(run).add_summary(scalar, global_step, walltime)

    def add_histogram(
        self,
        tag: str,
        values: Any,
        global_step: int | None = None,
        bins: Any = "tensorflow",
        walltime: float | None = None,
        max_bins: int | None = None,
    ) -> None:
        """Log the distribution of a tensor's elements."""
        value = summary.histogram(tag, values, bins, max_bins)
        self._file().add_summary(value, global_step, walltime)

    def add_histogram_raw(
        self,
        tag: str,
        min: float,
        max: float,
        num: int,
        sum: float,
        sum_squares: float,
        bucket_limits: Any,
        bucket_counts: Any,
        global_step: int | None = None,
        walltime: float | None = None,
    ) -> None:
        """Log a histogram that was counted already; limits are upper edges."""
        value = summary.histogram_raw(
            tag, min, max, num, sum, sum_squares, bucket_limits, bucket_counts
        )
        self._file().add_summary(value, global_step, walltime)

    def add_pr_curve(
        self,
        tag: str,
        labels: Any,
        predictions: Any,
        global_step: int | None = None,
        num_thresholds: int = 127,
        weights: Any = None,
        walltime: float | None = None,
    ) -> None:
        """Log precision and recall of probabilities, for labels of 0 and 1."""
        value = summary.pr_curve(tag, labels, predictions, num_thresholds, weights)
        self._file().add_summary(value, global_step, walltime)

    # ---- images, sound, text ----

    def add_image(
        self,
        tag: str,
        img_tensor: Any,
        global_step: int | None = None,
        walltime: float | None = None,
        dataformats: str = "CHW",
    ) -> None:
        """Log an image: floats from 0 to 1 or integers from 0 to 255."""
        value = summary.image(tag, as_bytes_image(img_tensor, dataformats))
        self._file().add_summary(value, global_step, walltime)

    def add_images(
        self,
        tag: str,
        img_tensor: Any,
        global_step: int | None = None,
        walltime: float | None = None,
        dataformats: str = "NCHW",
    ) -> None:
        """Log a batch of images as a grid."""
        self.add_image(tag, img_tensor, global_step, walltime, dataformats)

    def add_image_with_boxes(
        self,
        tag: str,
        img_tensor: Any,
        box_tensor: Any,
        global_step: int | None = None,
        walltime: float | None = None,
        rescale: int = 1,
        dataformats: str = "CHW",
        labels: Any = None,
    ) -> None:
        """Log an image with frames, rows of (x0, y0, x1, y1)."""
        if rescale != 1:
            raise NotImplementedError("add_image_with_boxes: rescale is not supported")
        picture = as_bytes_image(img_tensor, dataformats)
        value = summary.image(tag, draw_boxes(picture, box_tensor, labels))
        self._file().add_summary(value, global_step, walltime)

    def add_figure(
        self,
        tag: str,
        figure: Any,
        global_step: int | None = None,
        close: bool = True,
        walltime: float | None = None,
    ) -> None:
        """Log a figure of matplotlib, or a list of figures of one size."""
        if isinstance(figure, list):
            import tinytorch

            images = [figure_image(one, close) for one in figure]
            batch = tinytorch.stack(images)
            self.add_image(tag, batch, global_step, walltime, dataformats="NHWC")
        else:
            picture = figure_image(figure, close)
            self.add_image(tag, picture, global_step, walltime, dataformats="HWC")

    def add_video(self, *args: Any, **kwargs: Any) -> None:
        """Refuse: encoding video needs another package."""
        raise NotImplementedError("add_video is not supported; log frames as images")

    def add_audio(
        self,
        tag: str,
        snd_tensor: Any,
        global_step: int | None = None,
        sample_rate: int = 44100,
        walltime: float | None = None,
    ) -> None:
        """Log sound: numbers between -1 and 1."""
        value = summary.audio(tag, snd_tensor, sample_rate)
        self._file().add_summary(value, global_step, walltime)

    def add_text(
        self,
        tag: str,
        text_string: str,
        global_step: int | None = None,
        walltime: float | None = None,
    ) -> None:
        """Log a text, which is shown as Markdown."""
        value = summary.text_summary(tag, text_string)
        self._file().add_summary(value, global_step, walltime)

    def add_embedding(self, *args: Any, **kwargs: Any) -> None:
        """Refuse: the projector is not supported."""
        raise NotImplementedError("add_embedding is not supported")

    # ---- models, hyperparameters ----

    def add_graph(
        self,
        model: Any,
        input_to_model: Any = None,
        verbose: bool = False,
        use_strict_trace: bool = True,
    ) -> None:
        """Log the graph that the model builds for an input, or a tuple of inputs.

        It is what autograd recorded, so `use_strict_trace` makes no difference.
        """
        graph = graph_def(model, () if input_to_model is None else input_to_model)
        if verbose:
            import sys

            sys.stdout.write(f"{model}\n")
        self._file().add(blob(4, graph), None, None)

    def add_hparams(
        self,
        hparam_dict: dict[str, Any],
        metric_dict: dict[str, Any],
        hparam_domain_discrete: dict[str, list[Any]] | None = None,
        run_name: str | None = None,
        global_step: int | None = None,
    ) -> None:
        """Log a run's hyperparameters and the metrics that they led to."""
        now = time.time()
        run = run_name or str(now)
        parts = summary.hparams(hparam_dict, metric_dict, hparam_domain_discrete, now)
        file = self._file(run)
        for part in parts:
            file.add_summary(part, None)
        for tag, value in metric_dict.items():
            file.add_summary(summary.scalar(tag, value), global_step)
        file.flush()

    # ---- the end ----

    def flush(self) -> None:
        """Write what waits."""
        for file in self._files.values():
            file.flush()

    def close(self) -> None:
        """Write what waits and close the files; logging again opens new ones."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    def __enter__(self) -> SummaryWriter:
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()
