"""The names that programs use exist, as counted in a thousand files.

They are in the order of how many programs use them.  Only functions, methods and dtypes
are listed here; modules, optimisers and data have tests of their own.
"""

from __future__ import annotations

from typing import Any

import pytest

import tinytorch as tt

FUNCTIONS = """
    randn manual_seed randint long inference_mode float32 tensor allclose float64
    Tensor cat matmul device softmax argmax no_grad float16 zeros sqrt ones
    bfloat16 arange tanh pow pi inf triu rand Size LongTensor FloatTensor max
    where topk multinomial linspace stack nonzero from_numpy autograd.Variable sum
    unsqueeze normal meshgrid mean log exp randn_like flatten einsum var float min
    clamp as_tensor zeros_like equal cumprod full isclose bool abs gt bmm
    repeat_interleave tril empty sin cos rsqrt all gather unique finfo chunk
    sigmoid autograd.grad unbind squeeze int32 accelerator.current_accelerator
    accelerator.is_available square reshape randperm ones_like isnan eye acos
    rand_like mm dot clip split round eq maximum relu prod tile special.expm1
    set_grad_enabled set_default_device preserve_format accelerator.device_count
    accelerator.set_device_index numel mul int64 neg add int8 range
    random.manual_seed multiply mv is_tensor fmod erfinv erf dtype sign ceil
    bincount autograd.Function argmin ByteTensor uint8 logsumexp Generator roll
    var_mean utils._pytree.tree_unflatten utils._pytree.tree_flatten transpose tan
    std sort norm set_default_dtype outer log_softmax view_as_real view_as_complex
    log2 log1p linalg.eig linalg.svdvals isfinite is_grad_enabled
    is_floating_point autograd.gradcheck is_complex
    """.split()
METHODS = """
    size cuda shape mean max item cpu to detach abs device view transpose chunk
    numel requires_grad unsqueeze sum argmax backward tolist squeeze var
    masked_fill_ contiguous bool numpy reshape T data permute flatten dtype clone
    type sin cos grad float add exp clip sqrt softmax min fill_ expand clamp
    gather log mul_ add_ repeat pow std long copy_ prod normal_ zero_ cumprod all
    type_as eq byte split requires_grad_ clamp_ dim uniform_ masked_fill
    repeat_interleave any nonzero int index_select index_add_ element_size ndim
    norm new_tensor new_full new_ones new_zeros view_as ravel scatter_ is_cuda
    topk mm expand_as dot sigmoid detach_ argsort t floor ceil scatter argmin
    random_ mul unbind unique unflatten trace pin_memory swapaxes nbytes data_ptr
    logical_not nelement log10 log1p histc tanh double diag real diagonal cov bmm
    amax addcmul_ addcdiv_ cumsum div
    """.split()
FUNCTIONAL = """
    relu avg_pool2d cross_entropy mse_loss softmax smooth_l1_loss
    scaled_dot_product_attention pad silu max_pool2d gelu interpolate log_softmax
    nll_loss l1_loss normalize one_hot softplus conv2d linear layer_norm sigmoid
    tanh binary_cross_entropy_with_logits binary_cross_entropy adaptive_avg_pool2d
    """.split()


@pytest.mark.parametrize(
    ("place", "names"),
    [(tt, FUNCTIONS), (tt.Tensor, METHODS), (tt.nn.functional, FUNCTIONAL)],
    ids=["torch", "Tensor", "nn.functional"],
)
def test_names_in_use_exist(place: Any, names: list[str]) -> None:
    missing = []
    for name in names:
        found = place
        for part in name.split("."):
            found = getattr(found, part, None)
        if found is None:
            missing.append(name)
    assert missing == []
