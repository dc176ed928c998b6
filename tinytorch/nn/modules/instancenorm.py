"""Normalisation of each channel of each sample by itself."""

from __future__ import annotations

import warnings
from typing import Any

from tinytorch._core.tensor import Tensor
from tinytorch.nn import functional as F
from tinytorch.nn.modules.batchnorm import _LazyNormBase, _NormBase

__all__ = [
    "InstanceNorm1d",
    "InstanceNorm2d",
    "InstanceNorm3d",
    "LazyInstanceNorm1d",
    "LazyInstanceNorm2d",
    "LazyInstanceNorm3d",
]


class _InstanceNorm(_NormBase):
    """Normalises over the dimensions behind the channel, which an input may begin with.

    Args:
        num_features: the number of channels; used only if `affine` or tracking.
        affine: whether to scale by `weight` and shift by `bias`.
        track_running_stats: whether to use running statistics in evaluation.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(
            num_features,
            eps,
            momentum,
            affine,
            track_running_stats,
            device,
            dtype,
            bias=bias,
        )

    def _get_no_batch_dim(self) -> int:
        """Return the number of dimensions of one sample."""
        raise NotImplementedError

    def _apply_instance_norm(self, input: Tensor) -> Tensor:
        momentum = self.momentum
        return F.instance_norm(
            input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            0.0 if momentum is None else momentum,
            self.eps,
        )

    def forward(self, input: Tensor) -> Tensor:
        """Return `input` normalised; in training, update the running statistics."""
        self._check_input_dim(input)
        channel = input.dim() - self._get_no_batch_dim()
        if input.shape[channel] != self.num_features:
            self._check_channels(channel, input.shape[channel])
        if channel == 0:
            return self._apply_instance_norm(input.unsqueeze(0)).squeeze(0)
        return self._apply_instance_norm(input)

    def _check_channels(self, dim: int, size: int) -> None:
        if self.affine:
            raise ValueError(
                f"expected input's size at dim={dim} to match num_features "
                f"({self.num_features}), but got: {size}."
            )
        warnings.warn(
            f"input's size at dim={dim} does not match num_features. You can silence "
            "this warning by not passing in num_features, which is not used because "
            "affine=False",
            stacklevel=3,
        )

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        # Before version 2 the layers tracked by default: such a state does not fit.
        if local_metadata.get("version") is None and not self.track_running_stats:
            names = ("running_mean", "running_var")
            found = [name for name in names if prefix + name in state_dict]
            if found:
                error_msgs.append(_unexpected(found, self.__class__.__name__))
                for name in found:
                    state_dict.pop(prefix + name)
        super()._load_from_state_dict(
            state_dict,
            prefix,
            local_metadata,
            strict,
            missing_keys,
            unexpected_keys,
            error_msgs,
        )


def _unexpected(names: list[str], layer: str) -> str:
    buffers = " and ".join(f'"{name}"' for name in names)
    return (
        f"Unexpected running stats buffer(s) {buffers} for {layer} with "
        "track_running_stats=False. If state_dict is a checkpoint saved before 0.4.0, "
        f"this may be expected because {layer} does not track running stats by default "
        "since 0.4.0. Please remove these keys from state_dict. If the running stats "
        f"are actually needed, instead set track_running_stats=True in {layer} to "
        f"enable them. See the documentation of {layer} for details."
    )


class InstanceNorm1d(_InstanceNorm):
    """Normalises (N, C, L) or (C, L) over L: see `F.instance_norm`.

    Args:
        num_features: C.
        affine: whether to scale by `weight` and shift by `bias`.
        track_running_stats: whether to use running statistics in evaluation.
    """

    def _get_no_batch_dim(self) -> int:
        return 2

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() not in (2, 3):
            raise ValueError(f"expected 2D or 3D input (got {input.dim()}D input)")


class InstanceNorm2d(_InstanceNorm):
    """Normalises (N, C, H, W) or (C, H, W) over H, W; as `InstanceNorm1d`."""

    def _get_no_batch_dim(self) -> int:
        return 3

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() not in (3, 4):
            raise ValueError(f"expected 3D or 4D input (got {input.dim()}D input)")


class InstanceNorm3d(_InstanceNorm):
    """Normalises (N, C, D, H, W) or (C, D, H, W) over D, H, W; as `InstanceNorm1d`."""

    def _get_no_batch_dim(self) -> int:
        return 4

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() not in (4, 5):
            raise ValueError(f"expected 4D or 5D input (got {input.dim()}D input)")


# ---- lazy forms ----


class LazyInstanceNorm1d(_LazyNormBase, _InstanceNorm):
    """An `InstanceNorm1d` without `num_features`; after the first input it is one."""

    cls_to_become = InstanceNorm1d
    _get_no_batch_dim = InstanceNorm1d._get_no_batch_dim
    _check_input_dim = InstanceNorm1d._check_input_dim


class LazyInstanceNorm2d(_LazyNormBase, _InstanceNorm):
    """An `InstanceNorm2d` without `num_features`; after the first input it is one."""

    cls_to_become = InstanceNorm2d
    _get_no_batch_dim = InstanceNorm2d._get_no_batch_dim
    _check_input_dim = InstanceNorm2d._check_input_dim


class LazyInstanceNorm3d(_LazyNormBase, _InstanceNorm):
    """An `InstanceNorm3d` without `num_features`; after the first input it is one."""

    cls_to_become = InstanceNorm3d
    _get_no_batch_dim = InstanceNorm3d._get_no_batch_dim
    _check_input_dim = InstanceNorm3d._check_input_dim
