"""All that an op needs for its derivative, in one place.

Recording is in graph, a derivative's gradients go through gradients, and in-place ops
follow inplace.  The declarations there say more.
"""

from tinytorch._core.gradients cimport output_gradient, send, wants
from tinytorch._core.graph cimport (
    RUNS_ONCE, Backward, Node, attach, edge_of, gradient_ops, link, link_fitted,
    needs_grad, needs_grad2, new_node, op_name, save, save_output, saved, set_edge)
from tinytorch._core.inplace cimport (
    check_history, check_inplace, check_source, check_write, rebase, refuse_repeated,
    refuse_view)
from tinytorch._core.modes cimport grad_mode, inference_mode, swap_grad_mode
