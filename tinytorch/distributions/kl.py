"""Kullback-Leibler divergences, found by the types of both distributions."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import tinytorch as torch
from tinytorch._core.tensor import Tensor
from tinytorch.distributions.bernoulli import Bernoulli
from tinytorch.distributions.beta import Beta
from tinytorch.distributions.binomial import Binomial
from tinytorch.distributions.categorical import Categorical
from tinytorch.distributions.cauchy import Cauchy
from tinytorch.distributions.continuous_bernoulli import ContinuousBernoulli
from tinytorch.distributions.dirichlet import Dirichlet
from tinytorch.distributions.distribution import Distribution
from tinytorch.distributions.exp_family import ExponentialFamily
from tinytorch.distributions.exponential import Exponential
from tinytorch.distributions.gamma import Gamma
from tinytorch.distributions.geometric import Geometric
from tinytorch.distributions.gumbel import Gumbel
from tinytorch.distributions.half_normal import HalfNormal
from tinytorch.distributions.independent import Independent
from tinytorch.distributions.laplace import Laplace
from tinytorch.distributions.lowrank_multivariate_normal import (
    LowRankMultivariateNormal,
)
from tinytorch.distributions.multivariate_normal import (
    MultivariateNormal,
    _batch_mahalanobis,
    _half_log_det,
)
from tinytorch.distributions.normal import Normal
from tinytorch.distributions.one_hot_categorical import OneHotCategorical
from tinytorch.distributions.pareto import Pareto
from tinytorch.distributions.poisson import Poisson
from tinytorch.distributions.transformed_distribution import TransformedDistribution
from tinytorch.distributions.uniform import Uniform
from tinytorch.distributions.utils import _sum_rightmost, euler_constant
from tinytorch.distributions.wishart import Wishart, _mvdigamma

__all__ = ["register_kl", "kl_divergence"]

Divergence = Callable[[Any, Any], Tensor]

_KL_REGISTRY: dict[tuple[type, type], Divergence] = {}
_KL_MEMOIZE: dict[tuple[type, type], Divergence] = {}


def register_kl(type_p: type, type_q: type) -> Callable[[Divergence], Divergence]:
    """Decorate the divergence of distributions of these two types, or subclasses."""
    for type_ in (type_p, type_q):
        if not (isinstance(type_, type) and issubclass(type_, Distribution)):
            raise TypeError(
                f"Expected type_{'p' if type_ is type_p else 'q'} to be a Distribution "
                f"subclass but got {type_}"
            )

    def decorate(fun: Divergence) -> Divergence:
        _KL_REGISTRY[type_p, type_q] = fun
        _KL_MEMOIZE.clear()
        return fun

    return decorate


def _dispatch_kl(type_p: type, type_q: type) -> Divergence:
    """Return the divergence whose types are nearest, p's ancestry first."""

    def distance(pair: tuple[type, type]) -> tuple[int, int]:
        return type_p.__mro__.index(pair[0]), type_q.__mro__.index(pair[1])

    matches = [
        pair
        for pair in _KL_REGISTRY
        if issubclass(type_p, pair[0]) and issubclass(type_q, pair[1])
    ]
    if not matches:
        raise NotImplementedError(
            f"No KL(p || q) is implemented for p type {type_p.__name__} and q type "
            f"{type_q.__name__}"
        )
    left = min(matches, key=distance)
    right = min(matches, key=lambda pair: distance(pair)[::-1])
    if _KL_REGISTRY[left] is not _KL_REGISTRY[right]:
        warnings.warn(
            f"Ambiguous kl_divergence({type_p.__name__}, {type_q.__name__}). Please "
            f"register_kl({left[0].__name__}, {right[1].__name__})",
            RuntimeWarning,
            stacklevel=3,
        )
    return _KL_REGISTRY[left]


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """Return the mean of ``log p(x) - log q(x)`` over samples x of p.

    Example:
        >>> kl_divergence(Normal(0.0, 1.0), Normal(1.0, 1.0))
        tensor(0.5000)
    """
    key = type(p), type(q)
    fun = _KL_MEMOIZE.get(key)
    if fun is None:
        fun = _KL_MEMOIZE[key] = _dispatch_kl(*key)
    return fun(p, q)


# ---- the same family twice ----


@register_kl(Bernoulli, Bernoulli)
def _kl_bernoulli(p: Bernoulli, q: Bernoulli) -> Tensor:
    softplus = torch.nn.functional.softplus
    one = p.probs * (softplus(-q.logits) - softplus(-p.logits))
    zero = (1 - p.probs) * (softplus(q.logits) - softplus(p.logits))
    return one + zero


@register_kl(Binomial, Binomial)
def _kl_binomial(p: Binomial, q: Binomial) -> Tensor:
    kl = p.total_count * (
        p.probs * (p.logits - q.logits) + (-p.probs).log1p() - (-q.probs).log1p()
    )
    if (p.total_count < q.total_count).any():
        raise NotImplementedError(
            "KL between Binomials where q.total_count > p.total_count is not "
            "implemented"
        )
    return torch.where(p.total_count > q.total_count, math.inf, kl)


@register_kl(Categorical, Categorical)
def _kl_categorical(p: Categorical, q: Categorical) -> Tensor:
    t = p.probs * (p.logits - q.logits)
    t = t.masked_fill((q.probs == 0).expand_as(t), math.inf)
    return t.masked_fill((p.probs == 0).expand_as(t), 0).sum(-1)


@register_kl(OneHotCategorical, OneHotCategorical)
def _kl_one_hot(p: OneHotCategorical, q: OneHotCategorical) -> Tensor:
    return _kl_categorical(p._categorical, q._categorical)


@register_kl(ContinuousBernoulli, ContinuousBernoulli)
def _kl_continuous_bernoulli(p: ContinuousBernoulli, q: ContinuousBernoulli) -> Tensor:
    mean = p.mean * (p.logits - q.logits)
    here = p._cont_bern_log_norm() + torch.log1p(-p.probs)
    there = q._cont_bern_log_norm() + torch.log1p(-q.probs)
    return mean + here - there


@register_kl(Dirichlet, Dirichlet)
def _kl_dirichlet(p: Dirichlet, q: Dirichlet) -> Tensor:
    a, b = p.concentration, q.concentration
    total = a.sum(-1)
    normalizers = total.lgamma() - b.sum(-1).lgamma()
    normalizers = normalizers + (b.lgamma() - a.lgamma()).sum(-1)
    slopes = a.digamma() - total.digamma().unsqueeze(-1)
    return normalizers + ((a - b) * slopes).sum(-1)


@register_kl(Beta, Beta)
def _kl_beta(p: Beta, q: Beta) -> Tensor:
    return _kl_dirichlet(p._dirichlet, q._dirichlet)


@register_kl(Exponential, Exponential)
def _kl_exponential(p: Exponential, q: Exponential) -> Tensor:
    ratio = q.rate / p.rate
    return -ratio.log() + ratio - 1


@register_kl(ExponentialFamily, ExponentialFamily)
def _kl_family(p: ExponentialFamily, q: ExponentialFamily) -> Tensor:
    """The Bregman divergence of the log normaliser."""
    if type(p) is not type(q):
        raise NotImplementedError(
            "The cross KL-divergence between different exponential families cannot "
            "be computed using Bregman divergences"
        )
    theta = [t.detach().requires_grad_() for t in p._natural_params]
    with torch.enable_grad():
        normalizer = p._log_normalizer(*theta)
        slopes = torch.autograd.grad(normalizer.sum(), theta, create_graph=True)
    result = q._log_normalizer(*q._natural_params) - normalizer
    for mine, its, slope in zip(theta, q._natural_params, slopes, strict=True):
        result = result - _sum_rightmost((its - mine) * slope, len(q.event_shape))
    return result


@register_kl(Gamma, Gamma)
def _kl_gamma(p: Gamma, q: Gamma) -> Tensor:
    return (
        q.concentration * (p.rate / q.rate).log()
        + torch.lgamma(q.concentration)
        - torch.lgamma(p.concentration)
        + (p.concentration - q.concentration) * torch.digamma(p.concentration)
        + (q.rate - p.rate) * (p.concentration / p.rate)
    )


@register_kl(Gumbel, Gumbel)
def _kl_gumbel(p: Gumbel, q: Gumbel) -> Tensor:
    ratio = p.scale / q.scale
    shift = (q.loc - p.loc) / q.scale
    away = torch.exp(shift + (1 + ratio).lgamma())
    return ratio * euler_constant - ratio.log() - shift + away - (1 + euler_constant)


@register_kl(Geometric, Geometric)
def _kl_geometric(p: Geometric, q: Geometric) -> Tensor:
    return -p.entropy() - torch.log1p(-q.probs) / p.probs - q.logits


@register_kl(HalfNormal, HalfNormal)
def _kl_half_normal(p: HalfNormal, q: HalfNormal) -> Tensor:
    return _kl_normal(p.base_dist, q.base_dist)


@register_kl(Laplace, Laplace)
def _kl_laplace(p: Laplace, q: Laplace) -> Tensor:
    ratio = p.scale / q.scale
    distance = (p.loc - q.loc).abs()
    shape = ratio * torch.exp(-distance / p.scale)
    return -ratio.log() + distance / q.scale + shape - 1


@register_kl(MultivariateNormal, MultivariateNormal)
def _kl_multivariate_normal(p: MultivariateNormal, q: MultivariateNormal) -> Tensor:
    _refuse_other_events(p, q, "Multivariate Normals")
    mine, its = p._unbroadcasted_scale_tril, q._unbroadcasted_scale_tril
    n = p.event_shape[0]
    trace = _solved(its, mine).square().sum((-2, -1))
    distance = _batch_mahalanobis(its, q.loc - p.loc)
    return _half_log_det(its) - _half_log_det(mine) + 0.5 * (trace + distance - n)


@register_kl(LowRankMultivariateNormal, MultivariateNormal)
def _kl_low_rank_normal(p: LowRankMultivariateNormal, q: MultivariateNormal) -> Tensor:
    _refuse_other_events(p, q, "(Low Rank) Multivariate Normals")
    its, n = q._unbroadcasted_scale_tril, p.event_shape[0]
    trace = _solved(its, p._unbroadcasted_cov_factor).square().sum((-2, -1))
    widths = p._unbroadcasted_cov_diag.sqrt().diag_embed()
    trace = trace + _solved(its, widths).square().sum((-2, -1))
    distance = _batch_mahalanobis(its, q.loc - p.loc)
    return 0.5 * (2 * _half_log_det(its) - p._log_det() + trace + distance - n)


@register_kl(MultivariateNormal, LowRankMultivariateNormal)
def _kl_normal_low_rank(p: MultivariateNormal, q: LowRankMultivariateNormal) -> Tensor:
    _refuse_other_events(p, q, "(Low Rank) Multivariate Normals")
    mine, n = p._unbroadcasted_scale_tril, p.event_shape[0]
    distance = q._distance(q.loc - p.loc) + _trace_within(q, mine)
    return 0.5 * (q._log_det() - 2 * _half_log_det(mine) + distance - n)


@register_kl(LowRankMultivariateNormal, LowRankMultivariateNormal)
def _kl_low_rank(
    p: LowRankMultivariateNormal, q: LowRankMultivariateNormal
) -> Tensor:
    _refuse_other_events(p, q, "Low Rank Multivariate Normals")
    variances = p._unbroadcasted_cov_diag.unsqueeze(-2)
    trace = (variances / q._unbroadcasted_cov_diag.unsqueeze(-2)).sum((-2, -1))
    trace = trace - (q._reduced().square() * variances).sum((-2, -1))
    trace = trace + _trace_within(q, p._unbroadcasted_cov_factor)
    distance = q._distance(q.loc - p.loc)
    return 0.5 * (q._log_det() - p._log_det() + trace + distance - p.event_shape[0])


def _refuse_other_events(p: Distribution, q: Distribution, what: str) -> None:
    if p.event_shape != q.event_shape:
        raise ValueError(
            f"KL-divergence between two {what} with different event shapes cannot be "
            "computed"
        )


def _solved(root: Tensor, matrix: Tensor) -> Tensor:
    """Return L^-1 M for lower triangular L; batches broadcast."""
    batch = torch.broadcast_shapes(root.shape[:-2], matrix.shape[:-2])
    root = root.expand(batch + root.shape[-2:])
    matrix = matrix.expand(batch + matrix.shape[-2:])
    return torch.linalg.solve_triangular(root, matrix, upper=False)


def _trace_within(q: LowRankMultivariateNormal, root: Tensor) -> Tensor:
    """Return tr(Q^-1 R R') for q's covariance Q, by Woodbury."""
    plain = root.square() / q._unbroadcasted_cov_diag.unsqueeze(-1)
    reduced = torch.matmul(q._reduced(), root)
    return plain.sum((-2, -1)) - reduced.square().sum((-2, -1))


@register_kl(Wishart, Wishart)
def _kl_wishart(p: Wishart, q: Wishart) -> Tensor:
    """The Bregman divergence, written out."""
    mine, its = p._unbroadcasted_scale_tril, q._unbroadcasted_scale_tril
    n = p.event_shape[-1]
    trace = _solved(its, mine).square().sum((-2, -1))
    normalizers = torch.mvlgamma(q.df / 2, n) - torch.mvlgamma(p.df / 2, n)
    return (
        q.df * (_half_log_det(its) - _half_log_det(mine))
        + 0.5 * p.df * (trace - n)
        + normalizers
        + 0.5 * (p.df - q.df) * _mvdigamma(p.df / 2, n)
    )


@register_kl(Normal, Normal)
def _kl_normal(p: Normal, q: Normal) -> Tensor:
    ratio = (p.scale / q.scale).pow(2)
    distance = ((p.loc - q.loc) / q.scale).pow(2)
    return 0.5 * (ratio + distance - 1 - ratio.log())


@register_kl(Pareto, Pareto)
def _kl_pareto(p: Pareto, q: Pareto) -> Tensor:
    ratio = q.alpha / p.alpha
    kl = q.alpha * (p.scale / q.scale).log() - ratio.log() + ratio - 1
    return torch.where(p.scale < q.scale, math.inf, kl)


@register_kl(Poisson, Poisson)
def _kl_poisson(p: Poisson, q: Poisson) -> Tensor:
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(TransformedDistribution, TransformedDistribution)
def _kl_transformed(p: TransformedDistribution, q: TransformedDistribution) -> Tensor:
    if p.transforms != q.transforms or p.event_shape != q.event_shape:
        raise NotImplementedError
    return kl_divergence(p.base_dist, q.base_dist)


@register_kl(Uniform, Uniform)
def _kl_uniform(p: Uniform, q: Uniform) -> Tensor:
    kl = ((q.high - q.low) / (p.high - p.low)).log()
    return torch.where((q.low > p.low) | (q.high < p.high), math.inf, kl)


@register_kl(Cauchy, Cauchy)
def _kl_cauchy(p: Cauchy, q: Cauchy) -> Tensor:
    apart = (p.scale + q.scale).pow(2) + (p.loc - q.loc).pow(2)
    return apart.log() - (4 * p.scale * q.scale).log()


@register_kl(Independent, Independent)
def _kl_independent(p: Independent, q: Independent) -> Tensor:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError
    kl = kl_divergence(p.base_dist, q.base_dist)
    return _sum_rightmost(kl, p.reinterpreted_batch_ndims)


# ---- different families ----


@register_kl(Exponential, Gamma)
def _kl_exponential_gamma(p: Exponential, q: Gamma) -> Tensor:
    ratio = q.rate / p.rate
    return (
        -q.concentration * torch.log(ratio)
        + ratio
        + q.concentration.lgamma()
        + q.concentration * euler_constant
        - (1 + euler_constant)
    )


@register_kl(Gamma, Exponential)
def _kl_gamma_exponential(p: Gamma, q: Exponential) -> Tensor:
    return -p.entropy() - q.rate.log() + q.rate * p.concentration / p.rate


@register_kl(Exponential, Normal)
@register_kl(Gamma, Normal)
@register_kl(Gumbel, Normal)
@register_kl(Laplace, Normal)
@register_kl(Uniform, Normal)
def _kl_to_normal(p: Any, q: Normal) -> Tensor:
    """The mean of a parabola needs no more than p's mean and variance."""
    square = p.variance + (p.mean - q.loc).pow(2)
    constant = 0.5 * math.log(2 * math.pi)
    return square / (2 * q.scale.pow(2)) + q.scale.log() + constant - p.entropy()


@register_kl(Normal, Laplace)
def _kl_normal_laplace(p: Normal, q: Laplace) -> Tensor:
    away = p.loc - q.loc
    z = away / p.scale
    near = math.sqrt(2 / math.pi) * p.scale * torch.exp(-0.5 * z.square())
    distance = near + away * torch.erf(math.sqrt(0.5) * z)
    return (2 * q.scale).log() + distance / q.scale - p.entropy()


@register_kl(Normal, Gumbel)
def _kl_normal_gumbel(p: Normal, q: Gumbel) -> Tensor:
    shift = (p.loc - q.loc) / q.scale
    ratio = (p.scale / q.scale).square()
    return q.scale.log() + shift + torch.exp(-shift + 0.5 * ratio) - p.entropy()


@register_kl(Uniform, Exponential)
def _kl_uniform_exponential(p: Uniform, q: Exponential) -> Tensor:
    kl = q.rate * (p.high + p.low) / 2 - ((p.high - p.low) * q.rate).log()
    return torch.where(p.low < 0, math.inf, kl)


@register_kl(Beta, Uniform)
def _kl_beta_uniform(p: Beta, q: Uniform) -> Tensor:
    kl = -p.entropy() + (q.high - q.low).log()
    return torch.where((q.low > 0) | (q.high < 1), math.inf, kl)


@register_kl(Uniform, Beta)
def _kl_uniform_beta(p: Uniform, q: Beta) -> Tensor:
    a, b, low, high = q.concentration1, q.concentration0, p.low, p.high
    width = high - low
    log_x = torch.xlogy(high, high) - torch.xlogy(low, low) - width
    log_1_x = torch.xlogy(1 - low, 1 - low) - torch.xlogy(1 - high, 1 - high) - width
    mean = ((a - 1) * log_x + (b - 1) * log_1_x) / width
    kl = a.lgamma() + b.lgamma() - (a + b).lgamma() - mean - width.log()
    return torch.where((high > 1) | (low < 0), math.inf, kl)


def _infinite(p: Any, q: Any) -> Tensor:
    """Where p has events that q cannot have."""
    like = p.mean
    shape = torch.broadcast_shapes(p.batch_shape, q.batch_shape)
    return torch.full(shape, math.inf, dtype=like.dtype, device=like.device)


for _p, _qs in (
    (Beta, (Pareto,)),
    (Exponential, (Beta, Pareto, Uniform)),
    (Gamma, (Beta, Pareto, Uniform)),
    (Gumbel, (Beta, Exponential, Gamma, Pareto, Uniform)),
    (Laplace, (Beta, Exponential, Gamma, Pareto, Uniform)),
    (Normal, (Beta, Exponential, Gamma, Pareto, Uniform)),
    (Pareto, (Beta, Uniform)),
    (Poisson, (Bernoulli, Binomial)),
):
    for _q in _qs:
        register_kl(_p, _q)(_infinite)
