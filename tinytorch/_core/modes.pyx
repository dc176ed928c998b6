"""Whether ops record: grad mode, inference mode and anomaly mode.

no_grad and enable_grad are compiled, because every training step enters them.
"""

from libc.stdint cimport uint64_t

cdef bint swap_grad_mode(bint on) noexcept nogil:
    global tt_grad_mode
    cdef bint before = tt_grad_mode
    tt_grad_mode = on
    return before


def is_grad_enabled() -> bool:
    """Return whether ops record a graph."""
    return tt_grad_mode != 0


def set_grad_enabled_flag(bint on) -> bool:
    """Turn recording on or off in this thread; return what it was."""
    return swap_grad_mode(on) != 0


def is_inference_mode_enabled() -> bool:
    """Return whether inference mode is on."""
    return tt_inference_mode != 0


def set_inference_mode_flag(bint on) -> bool:
    """Turn inference mode on or off in this thread; return what it was."""
    global tt_inference_mode
    cdef bint before = tt_inference_mode
    tt_inference_mode = on
    return before


# ---- anomaly mode: where was the op whose derivative went wrong? ----

cdef object describe_stack = None  # of a module that only this mode needs


def is_anomaly_enabled() -> bool:
    """Return whether nodes remember where they were made."""
    return tt_anomaly != 0


def is_anomaly_check_nan_enabled() -> bool:
    """Return whether backward raises when a gradient holds NaN."""
    return tt_check_nan != 0


def set_anomaly_flag(bint on, bint nan=True):
    """Turn anomaly mode on or off."""
    global tt_anomaly, tt_check_nan, describe_stack
    if on:
        from traceback import format_stack as describe_stack
    tt_anomaly, tt_check_nan = on, nan


cdef object stack_of_call():
    return describe_stack()


# ---- with no_grad(), with enable_grad() ----

cdef object decorate = None  # decorate(mode class, function): the facade's


def set_decorator(function):
    """Say how a mode wraps a function that it decorates."""
    global decorate
    decorate = function


cdef class GradMode:
    """A context manager that sets whether ops record, and a decorator.

    With a function as its argument (``@no_grad`` without parentheses) the object stands
    for the decorated function.
    """

    cdef bint enabled
    cdef uint64_t before   # what to return to, one bit for each open `with`
    cdef object function

    def __init__(self, func=None):
        if func is not None:
            self.function = decorate(type(self), func)

    def __enter__(self):
        self.before = self.before << 1 | swap_grad_mode(self.enabled)

    def __exit__(self, kind, value, traceback):
        swap_grad_mode(self.before & 1)
        self.before >>= 1

    def __call__(self, *args, **kwargs):
        if self.function is not None:
            return self.function(*args, **kwargs)
        return decorate(type(self), *args)

    def __get__(self, instance, owner):
        if self.function is None or instance is None:
            return self
        return self.function.__get__(instance, owner)

    def __getattr__(self, str name not None):
        if self.function is None:
            raise AttributeError(
                f"'{type(self).__name__}' object has no attribute '{name}'")
        return getattr(self.function, name)

    def clone(self):
        """Return a new object of the same mode."""
        return type(self)()


cdef class no_grad(GradMode):
    """Record nothing: results have ``requires_grad=False``.

    Example:
        >>> with no_grad():
        ...     y = x * 2
        >>> y.requires_grad
        False
    """

    def __cinit__(self):
        self.enabled = False


cdef class enable_grad(GradMode):
    """Record again inside ``no_grad``.

    Example:
        >>> with no_grad(), enable_grad():
        ...     y = x * 2
        >>> y.requires_grad
        True
    """

    def __cinit__(self):
        self.enabled = True
