"""What the walk through PyTorch's op database expects: ops, refusals, deviations.

WANTED names the ops that must exist, in the database's spelling.  DEVIATIONS is the one
list of samples whose results differ from PyTorch's; ``docs/differences.md`` shows it.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import torch

__all__ = [
    "DEVIATIONS",
    "LOOSER",
    "NO_VALUES",
    "TIES",
    "WANTED",
    "Deviation",
    "explain",
    "refusal",
]

GROUPS: dict[str, str] = {
    "creation": """
        arange empty empty_like empty_strided eye full full_like linspace logspace
        new_empty new_empty_strided new_full new_ones new_zeros ones ones_like zeros
        zeros_like scalar_tensor tril_indices triu_indices
        """,
    "random": """
        bernoulli exponential multinomial normal rand_like randint randint_like randn
        randn_like uniform nn.functional.dropout nn.functional.dropout2d
        nn.functional.dropout3d nn.functional.alpha_dropout
        nn.functional.feature_alpha_dropout nn.functional.rrelu
        """,
    "comparison": """
        eq ne lt le gt ge equal allclose isclose isfinite isinf isnan isneginf isposinf
        signbit logical_and logical_not logical_or logical_xor bitwise_and
        bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor isin
        __rand__ __ror__ __rxor__
        """,
    "arithmetic": """
        abs add addcdiv addcmul clamp clamp_max clamp_min copysign deg2rad div
        float_power floor_divide fmax fmin fmod gcd heaviside hypot lcm ldexp lerp
        maximum minimum mul nan_to_num neg nextafter positive pow rad2deg reciprocal
        remainder rsub sgn sign sub true_divide where __radd__ __rdiv__ __rmod__
        __rmul__ __rpow__ __rsub__
        """,
    "element-wise": """
        acos acosh asin asinh atan atan2 atanh ceil cos cosh digamma erf erfc erfinv exp
        exp2 expm1 floor frac i0 igamma igammac lgamma log log10 log1p log2 logaddexp
        logaddexp2 logit mvlgamma polygamma round rsqrt sigmoid sin sinc sinh sqrt
        square tan tanh trunc xlogy angle
        """,
    "special": """
        special.airy_ai special.bessel_j0 special.bessel_j1 special.bessel_y0
        special.bessel_y1 special.chebyshev_polynomial_t special.chebyshev_polynomial_u
        special.chebyshev_polynomial_v special.chebyshev_polynomial_w special.entr
        special.erfcx special.hermite_polynomial_h special.hermite_polynomial_he
        special.i0e special.i1 special.i1e special.laguerre_polynomial_l
        special.legendre_polynomial_p special.log_ndtr special.modified_bessel_i0
        special.modified_bessel_i1 special.modified_bessel_k0
        special.modified_bessel_k1 special.ndtr special.ndtri
        special.scaled_modified_bessel_k0 special.scaled_modified_bessel_k1
        special.shifted_chebyshev_polynomial_t special.shifted_chebyshev_polynomial_u
        special.shifted_chebyshev_polynomial_v special.shifted_chebyshev_polynomial_w
        special.spherical_bessel_j0 special.xlog1py special.zeta
        """,
    "reductions": """
        all amax amin aminmax any argmax argmin count_nonzero cov cummax cummin cumprod
        cumsum diff dist histc logcumsumexp logsumexp max mean median min mode nanmean
        nanmedian nanquantile nansum norm prod quantile std std_mean sum sum_to_size
        trace var var_mean corrcoef
        """,
    "shape": """
        as_strided atleast_1d atleast_2d atleast_3d block_diag broadcast_tensors
        broadcast_to cat chunk column_stack clone contiguous diag diag_embed diagflat
        diagonal diagonal_scatter dsplit dstack expand expand_as flatten flip fliplr
        flipud hsplit hstack meshgrid movedim narrow permute ravel repeat
        repeat_interleave reshape reshape_as resolve_conj resolve_neg roll rot90 select
        select_scatter slice_scatter split split_with_sizes squeeze stack t
        tensor_split tile transpose tril triu unbind unflatten unfold unsqueeze view
        view_as vsplit vstack T mT combinations cartesian_prod
        """,
    "casts": "bfloat16 bool byte char double float half int long short to item real",
    "in-place": "fill zero_",
    "indexing": """
        __getitem__ argwhere bincount bucketize gather index_add index_copy index_fill
        index_put index_reduce index_select masked_fill masked_scatter masked_select
        nonzero put scatter scatter_add scatter_reduce searchsorted take take_along_dim
        unique unique_consecutive nn.functional.one_hot
        """,
    "sorting": "argsort kthvalue msort sort topk",
    "products": """
        __rmatmul__ addbmm addmm addmv addr baddbmm bmm cdist cholesky cross dot einsum
        inner kron linalg.cholesky linalg.cholesky_ex linalg.cross linalg.det
        linalg.diagonal linalg.eigh linalg.eigvalsh linalg.inv linalg.inv_ex
        linalg.lstsq linalg.matrix_norm linalg.matrix_power linalg.matrix_rank
        linalg.multi_dot linalg.norm linalg.pinv linalg.qr linalg.slogdet linalg.solve
        linalg.solve_ex linalg.solve_triangular linalg.svd linalg.svdvals linalg.vander
        linalg.vecdot linalg.vector_norm logdet matmul mm mv outer pinverse qr svd
        tensordot vdot
        """,
    "convolution": """
        nn.functional.conv1d nn.functional.conv2d nn.functional.conv3d
        nn.functional.conv_transpose1d nn.functional.conv_transpose2d
        nn.functional.conv_transpose3d nn.functional.unfold
        """,
    "pooling": """
        nn.functional.adaptive_avg_pool1d nn.functional.adaptive_avg_pool2d
        nn.functional.adaptive_avg_pool3d nn.functional.adaptive_max_pool1d
        nn.functional.adaptive_max_pool2d nn.functional.adaptive_max_pool3d
        nn.functional.avg_pool1d nn.functional.avg_pool2d nn.functional.avg_pool3d
        nn.functional.max_pool1d nn.functional.max_pool2d nn.functional.max_pool3d
        """,
    "resampling": """
        nn.functional.grid_sample nn.functional.interpolate nn.functional.pad
        nn.functional.pixel_shuffle nn.functional.pixel_unshuffle
        nn.functional.upsample_bilinear nn.functional.upsample_nearest
        nn.functional.channel_shuffle
        """,
    "activations": """
        nn.functional.celu nn.functional.elu nn.functional.gelu nn.functional.glu
        nn.functional.hardshrink nn.functional.hardsigmoid nn.functional.hardswish
        nn.functional.hardtanh nn.functional.leaky_relu nn.functional.logsigmoid
        nn.functional.mish nn.functional.prelu nn.functional.relu nn.functional.relu6
        nn.functional.selu nn.functional.silu nn.functional.softmin
        nn.functional.softplus nn.functional.softshrink nn.functional.softsign
        nn.functional.tanhshrink nn.functional.threshold log_softmax softmax
        """,
    "norms": """
        nn.functional.batch_norm nn.functional.group_norm nn.functional.instance_norm
        nn.functional.layer_norm nn.functional.local_response_norm
        nn.functional.normalize nn.functional.rms_norm
        """,
    "layers": """
        nn.functional.bilinear nn.functional.embedding nn.functional.embedding_bag
        nn.functional.linear nn.functional.scaled_dot_product_attention
        """,
    "losses": """
        nn.functional.binary_cross_entropy
        nn.functional.binary_cross_entropy_with_logits
        nn.functional.cosine_embedding_loss nn.functional.cosine_similarity
        nn.functional.cross_entropy nn.functional.ctc_loss
        nn.functional.gaussian_nll_loss nn.functional.hinge_embedding_loss
        nn.functional.huber_loss nn.functional.kl_div nn.functional.l1_loss
        nn.functional.margin_ranking_loss nn.functional.mse_loss
        nn.functional.multi_margin_loss nn.functional.multilabel_margin_loss
        nn.functional.multilabel_soft_margin_loss nn.functional.nll_loss
        nn.functional.pairwise_distance nn.functional.pdist
        nn.functional.poisson_nll_loss nn.functional.smooth_l1_loss
        nn.functional.soft_margin_loss nn.functional.triplet_margin_loss
        nn.functional.triplet_margin_with_distance_loss
        """,
}

WANTED: frozenset[str] = frozenset(" ".join(GROUPS.values()).split())

# Results without defined values: shapes and dtypes are compared.
NO_VALUES: frozenset[str] = frozenset(
    [
        "empty",
        "empty_like",
        "empty_permuted",
        "empty_strided",
        "new_empty",
        "new_empty_strided",
    ]
)

# Ops whose indices are free among equal elements, with the place of ``dim`` in the
# arguments: the elements are compared instead.
TIES: dict[str, int] = {"argsort": 0, "sort": 0, "topk": 1, "kthvalue": 1, "mode": 0}

# Factors on the tolerance, each with the reason.
LOOSER: dict[str, tuple[float, str]] = {
    "linalg.*": (1e3, "backward stable only up to the condition of the matrix"),
    "cholesky": (1e3, "as linalg.cholesky"),
    "logdet": (1e3, "as linalg.slogdet"),
    "pinverse": (1e3, "as linalg.pinv"),
    "qr": (1e3, "as linalg.qr"),
    "svd": (1e3, "as linalg.svd"),
    "*gamma": (1e3, "PyTorch's polygamma is exact to 2e-10 (ours to 4e-15)"),
}


def refusal(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
    """Return the refused feature that a sample asks for by an argument, or None."""
    layout = kwargs.get("layout", torch.strided)
    if layout not in (None, torch.strided):
        return f"layout {layout}"
    if kwargs.get("names") is not None:
        return "named tensor"
    if kwargs.get("sparse"):
        return "sparse gradient"
    return None


class Deviation(NamedTuple):
    """Samples that differ from PyTorch, and why.

    Attributes:
        op: pattern of the op's name in the database.
        place: pattern of kind/dtype/layout as the report prints it.
        reason: one sentence for ``docs/differences.md``.
    """

    op: str
    place: str
    reason: str


DEVIATIONS: tuple[Deviation, ...] = (
    Deviation(
        "nn.functional.linear_cross_entropy",
        "grad2/float64/*",
        "PyTorch's computation in chunks gives zeros as second derivatives, ours has"
        " them",
    ),
    Deviation(
        "nn.functional.hardsigmoid",
        "grad*/float64/*",
        "PyTorch multiplies the gradient by 1/6 rounded to float32, we divide by 6",
    ),
    Deviation(
        "__rdiv__",
        "error type/*",
        "called on a number, PyTorch's fails inside at `reciprocal`; ours refuses it",
    ),
    Deviation(
        "addbmm",
        "inplace/*",
        "PyTorch lets `addbmm_` give its tensor another shape, no other op can; ours"
        " refuses",
    ),
    Deviation(
        "as_strided_scatter",
        "grad*/float*/*",
        "PyTorch gives the input a gradient even where `src` has replaced it",
    ),
    Deviation(
        "linalg.ldl_*",
        "refused/*",
        "LDL decompositions do not exist; `linalg.lu_factor` solves the same systems",
    ),
    Deviation(
        "linalg.norm",
        "grad2/float64/*",
        "PyTorch's second derivative of a norm at 0 is NaN, ours 0 as the first",
    ),
    Deviation(
        "matrix_exp",
        "value/*float16/*",
        "PyTorch overflows to NaN in half types, ours is computed in float32",
    ),
    Deviation(
        "*median",
        "value/int64/*",
        "among equal elements any index may be returned, and others are chosen",
    ),
    Deviation(
        "narrow_copy",
        "error */-/-",
        "PyTorch shows the text of an internal check, ours that of `narrow`",
    ),
    Deviation(
        "nn.functional.binary_cross_entropy",
        "grad2/float64/*",
        "PyTorch adds 1e-12 to x and to 1 - x, ours takes at least 1e-12 of each",
    ),
    Deviation(
        "nn.functional.conv_transpose3d",
        "value/float32/*",
        "sums of many terms that cancel, added in another order: 2e-7 of the largest",
    ),
    Deviation(
        "nn.functional.fractional_max_pool?d",
        "refused/*",
        "pooling over windows of random sizes does not exist",
    ),
    Deviation(
        "nn.functional.multi_head_attention_forward",
        "value/*float16/*",
        "scores in the hundreds, rounded to half at other steps than in PyTorch",
    ),
    Deviation(
        "nn.functional.scaled_dot_product_attention",
        "value/*",
        "scores of up to 900 leave their rounding errors, in float32 as large as"
        " PyTorch's own, in the exponent",
    ),
    Deviation(
        "special.airy_ai",
        "value/float64/*",
        "PyTorch's values between -3.5 and -2 are exact to 3e-6, ours to rounding",
    ),
    Deviation(
        "special.bessel_[jy][01]",
        "value/float64/*",
        "PyTorch's values are exact to 7e-8, ours to rounding",
    ),
)


def explain(op: str, place: str) -> Deviation | None:
    """Return the row that covers a deviating sample, or None."""
    for row in DEVIATIONS:
        if fnmatchcase(op, row.op) and fnmatchcase(place, row.place):
            return row
    return None
