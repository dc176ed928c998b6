"""WandbReporter: what a run logs goes to Weights & Biases, if ``wandb`` is installed.

It has the methods of `SummaryWriter` that have a meaning there, so a program changes
one line to log to the one, the other or, with `Reporters`, both.
"""

from __future__ import annotations

from typing import Any

from tinytorch.utils.tensorboard.pictures import as_bytes_image, as_tensor

__all__ = ["Reporters", "WandbReporter"]


class WandbReporter:
    """Logs scalars, histograms, images and texts to a run of Weights & Biases.

    Args:
        project: The project of the run.
        config: The hyperparameters.
        run: A run that is there already; else one is started.
        options: Further arguments of ``wandb.init``: name, mode, dir, ...
    """

    def __init__(
        self,
        project: str | None = None,
        config: dict[str, Any] | None = None,
        *,
        run: Any = None,
        **options: Any,
    ) -> None:
        try:
            import wandb  # type: ignore[import-not-found, unused-ignore]
        except ImportError as error:
            raise ImportError(
                "WandbReporter needs the package wandb: pip install wandb"
            ) from error
        self._wandb = wandb
        self._owns = run is None
        if run is None:
            run = wandb.init(project=project, config=config, **options)
        self.run = run
        self._handles: list[Any] = []

    def log(self, values: dict[str, Any], step: int | None = None) -> None:
        """Log several values of one step; tensors of one element become numbers."""
        plain = {
            name: value.item() if hasattr(value, "item") else value
            for name, value in values.items()
        }
        self.run.log(plain, step=step)

    def add_scalar(self, tag: str, scalar_value: Any, global_step: Any = None) -> None:
        """Log a number."""
        self.log({tag: scalar_value}, global_step)

    def add_scalars(
        self, main_tag: str, tag_scalar_dict: dict[str, Any], global_step: Any = None
    ) -> None:
        """Log several numbers under a common name."""
        named = {f"{main_tag}/{tag}": x for tag, x in tag_scalar_dict.items()}
        self.log(named, global_step)

    def add_histogram(self, tag: str, values: Any, global_step: Any = None) -> None:
        """Log the distribution of a tensor's elements."""
        array = as_tensor(values).reshape(-1).float().numpy()
        self.run.log({tag: self._wandb.Histogram(array)}, step=global_step)

    def add_image(
        self,
        tag: str,
        img_tensor: Any,
        global_step: Any = None,
        dataformats: str = "CHW",
    ) -> None:
        """Log an image: floats from 0 to 1 or integers from 0 to 255."""
        picture = as_bytes_image(img_tensor, dataformats)
        if picture.shape[2] == 1:
            picture = picture[:, :, 0]
        image = self._wandb.Image(picture.numpy())
        self.run.log({tag: image}, step=global_step)

    def add_images(
        self,
        tag: str,
        img_tensor: Any,
        global_step: Any = None,
        dataformats: str = "NCHW",
    ) -> None:
        """Log a batch of images as a grid."""
        self.add_image(tag, img_tensor, global_step, dataformats)

    def add_figure(self, tag: str, figure: Any, global_step: Any = None) -> None:
        """Log a figure of matplotlib."""
        self.run.log({tag: self._wandb.Image(figure)}, step=global_step)

    def add_text(self, tag: str, text_string: str, global_step: Any = None) -> None:
        """Log a text."""
        table = self._wandb.Table(columns=["text"], data=[[text_string]])
        self.run.log({tag: table}, step=global_step)

    def add_hparams(
        self, hparam_dict: dict[str, Any], metric_dict: dict[str, Any]
    ) -> None:
        """Note the hyperparameters and the metrics that they led to."""
        self.run.config.update(hparam_dict)
        self.run.summary.update(metric_dict)

    def watch(self, model: Any, every: int = 100) -> None:
        """Log the norms of the gradients, once in so many backward passes."""
        passes: dict[str, int] = {}

        def watch_one(name: str, parameter: Any) -> None:
            def hook(parameter: Any) -> None:
                passes[name] = passes.get(name, -1) + 1
                if passes[name] % every == 0:
                    norm = parameter.grad.norm().item()
                    self.run.log({f"gradients/{name}": norm}, commit=False)

            handle = parameter.register_post_accumulate_grad_hook(hook)
            self._handles.append(handle)

        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                watch_one(name, parameter)

    def flush(self) -> None:
        """Do nothing: wandb sends in the background."""

    def close(self) -> None:
        """Stop watching and, if the run was started here, finish it."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        if self._owns:
            self.run.finish()

    def __enter__(self) -> WandbReporter:
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()


class Reporters:
    """Several reporters as one: each method is called on all that have it."""

    def __init__(self, *reporters: Any) -> None:
        self.reporters = reporters

    def __getattr__(self, name: str) -> Any:
        methods = [getattr(r, name) for r in self.reporters if hasattr(r, name)]
        if name.startswith("__") or not methods:
            raise AttributeError(f"no reporter has a method {name!r}")

        def call(*args: Any, **kwargs: Any) -> None:
            for method in methods:
                method(*args, **kwargs)

        return call

    def __enter__(self) -> Reporters:
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()
