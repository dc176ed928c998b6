"""no_grad and enable_grad: compiled, because every training step enters them."""

from libc.stdint cimport uint64_t

from tinytorch._core.autograd cimport swap_grad_mode

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
