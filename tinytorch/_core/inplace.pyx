"""Writing in place under autograd: what is refused, and what becomes of the history.

How a write through a view changes the history of its base is in ops/history.pyx.
"""

from tinytorch._core.graph cimport attach, gradient_ops, needs_grad, op_name
from tinytorch._core.hooks cimport move_retained
from tinytorch._core.modes cimport inference_mode
from tinytorch._core.tensor cimport (
    CONTIGUOUS, INFERENCE, NO_GRAD_VIEW, NO_REBASE, REQUIRES_GRAD, RETAINS_GRAD,
    tell_views)


# ---- what is refused ----

cdef int refuse_repeated(Tensor x) except -1:
    """An expanded tensor shows an element several times: it cannot be written."""
    cdef int i
    for i in range(x.rank):
        if x.strides[i] == 0 and x.sizes[i] > 1:
            raise RuntimeError(
                "unsupported operation: more than one element of the written-to tensor "
                "refers to a single memory location. Please clone() the tensor before "
                "performing the operation.")
    return 0


cdef int refuse_view(Tensor x, bint indirect) except -1:
    """x is a view whose history cannot follow a write: to itself, or, indirect, to its
    base or another view of that."""
    cdef bint unrecorded = (x.flags & NO_GRAD_VIEW) != 0
    cdef str subject = "A view was created in no_grad mode and "
    cdef str written = ("its base or another view of its base has been modified inplace"
                        if indirect else "is being modified inplace")
    cdef str advice = (
        "This view is the output of a function that returns multiple views. Such "
        "functions do not allow the output views to be modified inplace. You should "
        "replace the inplace operation by an out-of-place one.")
    if x.node is not None:
        subject = (f"Output {x.output} of {op_name(x.node)} is a view "
                   + ("of a view which was created in no_grad mode and " if unrecorded
                      else "and "))
    if unrecorded or x.node is None:
        written += " with grad mode enabled"
    if unrecorded:
        advice = (
            "Given that this use case is ambiguous and error-prone, it is forbidden. "
            "You can clarify your code by moving both the view and the inplace either "
            "both inside the no_grad block (if you don't want the inplace to be "
            "tracked) or both outside (if you want the inplace to be tracked).")
    raise RuntimeError(f"{subject}{written}. {advice}")


cdef int check_inplace(Tensor x) except -1:
    """Refuse what PyTorch refuses, before anything is written."""
    if not x.flags & CONTIGUOUS:
        refuse_repeated(x)
    return check_history(x)


cdef int check_source(Tensor x, Tensor y) except -1:
    """Refuse x if it cannot take over the history of y, which may be None."""
    if x.flags & NO_REBASE and y is not None and needs_grad(y):
        refuse_view(x, False)
    return 0


cdef int check_write(Tensor x, Tensor y) except -1:
    check_inplace(x)
    return check_source(x, y)


cdef int check_history(Tensor x) except -1:
    """The same for fills, to which it does not matter if elements coincide."""
    if x.flags & INFERENCE and not inference_mode():
        raise RuntimeError(
            "Inplace update to inference tensor outside InferenceMode is not allowed."
            "You can make a clone to get a normal tensor before doing inplace update."
            "See https://github.com/pytorch/rfcs/pull/17 for more details.")
    if not needs_grad(x):
        return 0
    if x.flags & NO_REBASE:
        refuse_view(x, False)
    if x.base is not None:
        if x.base.node is None and (x.node is None or x.base.flags & REQUIRES_GRAD):
            raise RuntimeError("a view of a leaf Variable that requires grad is being "
                               "used in an in-place operation.")
    elif x.node is None:
        raise RuntimeError("a leaf Variable that requires grad is being used in an "
                           "in-place operation.")
    return 0


# ---- the history of what was written ----

cdef int rebase(Tensor x, Node node) except -1:
    """Make node the origin of x, which has been written;
    views pass it to their base."""
    cdef bint fresh
    if x.base is not None:
        if x.flags & NO_REBASE:
            refuse_view(x, False)
        return gradient_ops.rebase_view(x, node)
    if x.flags & RETAINS_GRAD and x.node is not None:
        move_retained(x, node)
    fresh = not x.flags & REQUIRES_GRAD
    attach(x, node)
    if fresh:
        tell_views(x)
    return 0
