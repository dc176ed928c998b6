"""Hooks of modules run when, and change what, those of PyTorch do."""

import warnings

import pytest

import tinytorch as tt
from twin_modules import alike, both


def test_hooks_run_in_pytorchs_order():
    def program(t, L, N):
        seen = []

        def note(name, answer=None):
            def hook(module, *args):
                seen.append((name, type(module).__name__, len(args)))
                return answer

            return hook

        m = L(2, 2)
        common = t.nn.modules.module
        handles = [
            m.register_forward_pre_hook(note("pre")),
            m.register_forward_pre_hook(note("first"), prepend=True),
            m.register_forward_pre_hook(note("pre kw"), with_kwargs=True),
            m.register_forward_hook(note("post")),
            m.register_forward_hook(note("post kw"), with_kwargs=True),
            m.register_forward_hook(note("always"), always_call=True, prepend=True),
            m.register_full_backward_pre_hook(note("bw pre")),
            m.register_full_backward_hook(note("bw")),
            common.register_module_forward_pre_hook(note("global pre")),
            common.register_module_forward_hook(note("global post")),
            common.register_module_full_backward_hook(note("global bw")),
            common.register_module_full_backward_pre_hook(note("global bw pre")),
        ]
        m(t.ones(1, 2, requires_grad=True), scale=2.0).sum().backward()
        try:
            m(t.ones(1, 5))
        except RuntimeError:
            seen.append("failed")
        for handle in handles:
            handle.remove()
        m(t.ones(1, 2)).sum().backward()
        return seen

    alike(program)


def test_hooks_change_what_passes():
    def program(t, L, N):
        m = L(2, 2)
        m.register_forward_pre_hook(lambda m, args: (args[0] * 2,))
        m.register_forward_pre_hook(
            lambda m, args, kwargs: (args, {"scale": 3.0}), with_kwargs=True
        )
        m.register_forward_hook(lambda m, args, y: y + 1)
        m.register_full_backward_pre_hook(lambda m, gy: (gy[0] * 5,))
        m.register_full_backward_hook(lambda m, gx, gy: (gx[0] + 7,))
        x = t.ones(1, 2, requires_grad=True)
        y = m(x)
        y.sum().backward()
        return y.tolist(), x.grad.tolist(), m.weight.grad.tolist()

    expected, got = both(program)
    assert got[0] == expected[0] == "value"
    for a, b in zip(got[1], expected[1], strict=True):
        assert tt.tensor(a).allclose(tt.tensor(b), rtol=1e-6)


def test_backward_hook_without_gradient_of_inputs():
    def program(t, L, N):
        seen = []
        m = L(2, 2)
        m.register_full_backward_hook(lambda m, gx, gy: seen.append((gx, len(gy))))
        with warnings.catch_warnings(record=True) as noted:
            warnings.simplefilter("always")
            m(t.ones(1, 2)).sum().backward()
        return seen, [str(w.message)[:60] for w in noted]

    alike(program)


@pytest.mark.parametrize("kinds", [(0, 1), (1, 0)])
def test_two_kinds_of_backward_hooks_are_refused(kinds):
    def program(t, L, N):
        m = L(1, 1)
        register = m.register_backward_hook, m.register_full_backward_hook
        for kind in kinds:
            register[kind](lambda *a: None)

    alike(program)


def test_state_dict_hooks_run_in_order():
    def program(t, L, N):
        seen = []
        m = t.nn.Sequential(L(1, 1))
        m.register_state_dict_pre_hook(lambda m, p, k: seen.append(("pre", p, k)))
        m.register_state_dict_post_hook(
            lambda m, s, p, meta: seen.append(("post", len(s), p))
        )
        m[0].register_load_state_dict_pre_hook(
            lambda m, s, p, *rest: seen.append(("load", sorted(s), p))
        )
        m.register_load_state_dict_post_hook(
            lambda m, keys: seen.append(("loaded", list(keys.missing_keys)))
        )
        state = m.state_dict()
        del state["0.bias"]
        m.load_state_dict(state, strict=False)
        return seen

    alike(program)


def test_registration_hooks_see_and_replace():
    def program(t, L, N):
        seen = []
        common = t.nn.modules.module
        handles = [
            common.register_module_parameter_registration_hook(
                lambda m, name, x: seen.append(("parameter", name))
            ),
            common.register_module_buffer_registration_hook(
                lambda m, name, x: seen.append(("buffer", name))
            ),
            common.register_module_module_registration_hook(
                lambda m, name, x: seen.append(("module", name))
            ),
        ]
        N()
        for handle in handles:
            handle.remove()
        N()
        return seen

    alike(program)
