"""Sums, differences, products, quotients and remainders, and their operators.

Every op has two forms, over two tensors and over a tensor and a Python number;
`operate` chooses.  In place, `into` is the tensor that is written.
"""


from tinytorch._core.autograd cimport (
    Node, attach, check_inplace, gradient_ops, link_fitted, needs_grad, needs_grad2,
    new_node, rebase, save, saved, send, wants)
from tinytorch._core.executor cimport (
    OUT_BOOL, Driver, Kernel, Scalar, View, copy_new, fill_new, pointwise,
    register_kernel, run, view_of)
from tinytorch._core.ops.elementwise cimport (
    PROMOTE, PROMOTE_FLOAT, TAKES_ALPHA, TRUTH, Number, as_number, binary,
    code_with_number, code_with_tensor, deliver, number_of_float, number_of_int, unary)
from tinytorch._core.tensor cimport REQUIRES_GRAD, Tensor, empty_like, operators
from tinytorch._core.types cimport BOOL, BOOLS, FLOATS, is_float

__all__ = ["add", "sub", "subtract", "rsub", "mul", "multiply", "div", "divide",
           "true_divide", "floor_divide", "remainder", "fmod", "neg", "negative",
           "positive", "square", "square_", "neg_"]
METHODS = [name for name in __all__ if name != "rsub"] + [
    "add_", "sub_", "subtract_", "mul_", "multiply_", "div_", "divide_", "true_divide_",
    "floor_divide_", "remainder_", "fmod_", "negative_", "__rsub__", "__rdiv__"]

cdef extern from *:
    """
    #include "division.h"
    #include "map_math.h"
    TT_LOOPS(add) TT_LOOPS(sub) TT_LOOPS(rsub) TT_LOOPS(mul) TT_FLOAT_LOOPS(div)
    TT_LOOPS(trunc_divide) TT_LOOPS(floor_divide) TT_LOOPS(remainder) TT_LOOPS(fmod)
    TT_LOOPS(neg) TT_LOOPS(square)
    """
    void** add_loops
    void** sub_loops
    void** rsub_loops
    void** mul_loops
    void** div_loops
    void** trunc_divide_loops
    void** floor_divide_loops
    void** remainder_loops
    void** fmod_loops
    void** neg_loops
    void** square_loops
    void** is_zero_loops
    int refuse_zero_driver(const void* call) noexcept nogil

cdef Kernel* ADD = register_kernel("add", pointwise, add_loops, TAKES_ALPHA, 1)
cdef Kernel* SUB = register_kernel("sub", pointwise, sub_loops, TAKES_ALPHA, 1)
cdef Kernel* RSUB = register_kernel("rsub", pointwise, rsub_loops, TAKES_ALPHA, 1)
cdef Kernel* MUL = register_kernel("mul", pointwise, mul_loops, 0, 1)
cdef Kernel* DIV = register_kernel("div", pointwise, div_loops, 0, 1)
cdef Kernel* TRUNC_DIVIDE = register_kernel(
    "trunc_divide", pointwise, trunc_divide_loops, 0, 1)
cdef Kernel* FLOOR_DIVIDE = register_kernel(
    "floor_divide", pointwise, floor_divide_loops, 0, 1)
cdef Kernel* REMAINDER = register_kernel("remainder", pointwise, remainder_loops, 0, 1)
cdef Kernel* FMOD = register_kernel("fmod", pointwise, fmod_loops, 0, 1)
cdef Kernel* NEG = register_kernel("neg", pointwise, neg_loops, 0, 1)
cdef Kernel* SQUARE = register_kernel("square", pointwise, square_loops, 0, 1)
cdef Kernel* IS_ZERO = register_kernel("is_zero", pointwise, is_zero_loops, OUT_BOOL)
cdef Kernel* REFUSE_ZERO = register_kernel(
    "refuse_zero", <Driver>refuse_zero_driver, NULL)


# ---- which form an op takes ----

cdef object operate(object a, object b, OfTensors tensors, OfNumber number):
    """An operator; what is neither tensor nor number may know what to do itself."""
    cdef Number n
    if isinstance(a, Tensor):
        if isinstance(b, Tensor):
            return tensors(<Tensor>a, <Tensor>b, None)
        if as_number(b, &n):
            return number(<Tensor>a, &n, False, None)
        return NotImplemented
    if as_number(a, &n):
        return number(<Tensor>b, &n, True, None)
    return NotImplemented


cdef object operate_into(object x, object b, OfTensors tensors, OfNumber number):
    cdef Number n
    if isinstance(b, Tensor):
        return tensors(<Tensor>x, <Tensor>b, <Tensor>x)
    if as_number(b, &n):
        return number(<Tensor>x, &n, False, <Tensor>x)
    return NotImplemented


cdef int refuse_operand(str name, object other) except -1:
    raise TypeError(f"{name}(): argument 'other' (position 2) must be Tensor or "
                    f"Number, not {type(other).__name__}")


cdef object call(str name, object x, object other, OfTensors tensors, OfNumber number,
                 object out):
    cdef object y
    if not isinstance(x, Tensor) and not isinstance(other, Tensor):
        raise TypeError(f"{name}(): argument 'input' (position 1) must be Tensor, not "
                        f"{type(x).__name__}")
    y = operate(x, other, tensors, number)
    if y is NotImplemented:
        refuse_operand(name, other)
    return y if out is None else deliver(<Tensor>y, out)


cdef object call_into(str name, Tensor x, object other, OfTensors tensors,
                      OfNumber number):
    cdef object y = operate_into(x, other, tensors, number)
    if y is NotImplemented:
        refuse_operand(name, other)
    return y


cdef inline Tensor before(Tensor x, Tensor into):
    """What to save of an input: a copy if it is about to be written."""
    return gradient_ops.clone(x) if x is into else x


cdef Tensor linked(Node node, Tensor y, Tensor a, Tensor b, Tensor into):
    if node is None:
        return y
    link_fitted(node, 0, a, y)
    if b is not None:
        link_fitted(node, 1, b, y)
    if into is None:
        attach(y, node)
    else:
        rebase(y, node)
    return y


# ---- a + k b ----

cdef object one = 1  # the default of alpha, recognised by identity


cdef int check_alpha(Tensor a, Tensor b, const Number* n,
                     const Number* alpha) except -1:
    cdef int code = code_with_number(a, n) if b is None else code_with_tensor(a, b)
    if alpha.category == FLOATS and not is_float(code):
        raise RuntimeError("For integral input tensors, argument alpha must not be a "
                           "floating point number.")
    if alpha.category == BOOLS and code != BOOL:
        raise RuntimeError("Boolean alpha only supported for Boolean results.")
    return 0


cdef int check_sub(Tensor a, Tensor b, const Number* n) except -1:
    """PyTorch has no difference of truth values."""
    if a.code == BOOL and (n.category == BOOLS if b is None else b.code == BOOL):
        raise RuntimeError(
            "Subtraction, the `-` operator, with two bool tensors is not supported. "
            "Use the `^` or `logical_xor()` operator instead.")
    if a.code == BOOL or (n.category == BOOLS if b is None else b.code == BOOL):
        raise RuntimeError(
            "Subtraction, the `-` operator, with a bool tensor is not supported. If "
            "you are trying to invert a mask, use the `~` or `logical_not()` operator "
            "instead.")
    return 0


cdef Tensor sum_of(const Kernel* kernel, Tensor a, Tensor b, const Number* n,
                   const Number* alpha, double ka, double kb, Tensor into):
    """y = ka a + kb b, where b may be the number n; the kernel knows the signs."""
    cdef Node node = None
    cdef Scalar[3] s
    cdef const Scalar* scalars = NULL
    if into is not None:
        check_inplace(into)
    if alpha != NULL:
        check_alpha(a, b, n, alpha)
        s[0].f = s[1].f = alpha.f
        s[2].i = alpha.i
        scalars = s
    if needs_grad(a) or b is not None and needs_grad(b):
        node = new_node(add_backward, b"AddBackward0" if kernel == ADD else
                        b"SubBackward0" if kernel == SUB else b"RsubBackward0")
        node.f0 = ka
        node.f1 = kb
    return linked(node, binary(kernel, PROMOTE, a, b, n, into, scalars), a, b, into)


cdef int add_backward(Node node, Tensor gy) except -1:
    """d(j a + k b) = j da + k db"""
    if wants(node, 0):
        send(node, 0, times(gy, node.f0))
    if wants(node, 1):
        send(node, 1, times(gy, node.f1))
    return 0


cdef Tensor times(Tensor x, double k):
    if k == 1:
        return x
    return c_neg(x) if k == -1 else c_mul_number(x, k)


cdef Tensor add_tensors(Tensor a, Tensor b, Tensor into):
    return sum_of(ADD, a, b, NULL, NULL, 1, 1, into)


cdef Tensor add_number(Tensor x, const Number* n, bint swapped, Tensor into):
    return sum_of(ADD, x, None, n, NULL, 1, 0, into)


cdef Tensor sub_tensors(Tensor a, Tensor b, Tensor into):
    if a.code == BOOL or b.code == BOOL:
        check_sub(a, b, NULL)
    return sum_of(SUB, a, b, NULL, NULL, 1, -1, into)


cdef Tensor sub_number(Tensor x, const Number* n, bint swapped, Tensor into):
    if x.code == BOOL or n.category == BOOLS:
        check_sub(x, None, n)
    if swapped:
        return sum_of(RSUB, x, None, n, NULL, -1, 0, into)
    return sum_of(SUB, x, None, n, NULL, 1, 0, into)


cdef object scaled(str name, const Kernel* kernel, Tensor x, object other, object alpha,
                   double ka, double kb, Tensor into):
    """add, sub and rsub with alpha."""
    cdef Number n, k
    if not as_number(alpha, &k):
        raise TypeError(f"{name}(): argument 'alpha' must be Number, not "
                        f"{type(alpha).__name__}")
    if kernel == RSUB:
        ka, kb = -k.f, 1
    else:
        kb *= k.f
    if isinstance(other, Tensor):
        if kernel != ADD and (x.code == BOOL or (<Tensor>other).code == BOOL):
            check_sub(x, <Tensor>other, NULL)
        return sum_of(kernel, x, <Tensor>other, NULL, &k, ka, kb, into)
    if not as_number(other, &n):
        refuse_operand(name, other)
    if kernel != ADD:
        check_sub(x, None, &n)
    return sum_of(kernel, x, None, &n, &k, ka, kb, into)


def add(input, other, *, alpha=1, out=None):
    """Return ``input + alpha * other``."""
    if alpha is one or not isinstance(input, Tensor):
        return call("add", input, other, add_tensors, add_number, out)
    return deliver(<Tensor>scaled("add", ADD, input, other, alpha, 1, 1, None), out)


def add_(Tensor self not None, other, *, alpha=1):
    """In-place `add`."""
    return scaled("add", ADD, self, other, alpha, 1, 1, self)


def sub(input, other, *, alpha=1, out=None):
    """Return ``input - alpha * other``."""
    if not isinstance(input, Tensor):
        return call("sub", input, other, sub_tensors, sub_number, out)
    return deliver(<Tensor>scaled("sub", SUB, input, other, alpha, 1, -1, None), out)


def sub_(Tensor self not None, other, *, alpha=1):
    """In-place `sub`."""
    return scaled("sub", SUB, self, other, alpha, 1, -1, self)


def rsub(Tensor input not None, other, *, alpha=1):
    """Return ``other - alpha * input``."""
    return scaled("rsub", RSUB, input, other, alpha, -1, 1, None)


def __rsub__(Tensor self not None, other):
    return rsub(self, other)


cdef Tensor c_add(Tensor a, Tensor b):
    return add_tensors(a, b, None)


cdef Tensor c_sub(Tensor a, Tensor b):
    return sub_tensors(a, b, None)


cdef Tensor c_add_number(Tensor x, double value):
    cdef Number n = number_of_float(value)
    return add_number(x, &n, False, None)


cdef Tensor c_rsub_number(Tensor x, double value):
    cdef Number n = number_of_float(value)
    return sub_number(x, &n, True, None)


cdef int add_into(Tensor y, Tensor x) except -1:
    binary(ADD, PROMOTE, y, x, NULL, y)
    return 0


# ---- a b ----

cdef Tensor mul_tensors(Tensor a, Tensor b, Tensor into):
    cdef Node node = None
    if into is not None:
        check_inplace(into)
    if needs_grad2(a, b):
        node = new_node(mul_backward, b"MulBackward0")
        if b.flags & REQUIRES_GRAD:
            save(node, 0, before(a, into))
        if a.flags & REQUIRES_GRAD:
            save(node, 1, b)
    return linked(node, binary(MUL, PROMOTE, a, b, NULL, into), a, b, into)


cdef int mul_backward(Node node, Tensor gy) except -1:
    """d(a b) = b da + a db"""
    if wants(node, 0):
        send(node, 0, c_mul(gy, saved(node, 1)))
    if wants(node, 1):
        send(node, 1, c_mul(gy, saved(node, 0)))
    return 0


cdef Tensor mul_number(Tensor x, const Number* n, bint swapped, Tensor into):
    cdef Node node = None
    if into is not None:
        check_inplace(into)
    if needs_grad(x):
        node = new_node(scale_backward, b"MulBackward0")
        node.f0 = n.f
    return linked(node, binary(MUL, PROMOTE, x, None, n, into), x, None, into)


cdef int scale_backward(Node node, Tensor gy) except -1:
    """d(k x) = k dx"""
    send(node, 0, c_mul_number(gy, node.f0))
    return 0


def mul(input, other, *, out=None):
    """Return ``input * other``."""
    return call("mul", input, other, mul_tensors, mul_number, out)


def mul_(Tensor self not None, other):
    """In-place `mul`."""
    return call_into("mul", self, other, mul_tensors, mul_number)


cdef Tensor c_mul(Tensor a, Tensor b):
    return mul_tensors(a, b, None)


cdef Tensor c_mul_number(Tensor x, double value):
    cdef Number n = number_of_float(value)
    return mul_number(x, &n, False, None)


# ---- -x and x^2 ----

cdef Tensor neg_into(Tensor x, Tensor into):
    cdef Node node = None
    if x.code == BOOL:
        raise RuntimeError(
            "Negation, the `-` operator, on a bool tensor is not supported. If you are "
            "trying to invert a mask, use the `~` or `logical_not()` operator instead.")
    if into is not None:
        check_inplace(into)
    if needs_grad(x):
        node = new_node(neg_backward, b"NegBackward0")
    return linked(node, unary(NEG, PROMOTE, x, into), x, None, into)


cdef int neg_backward(Node node, Tensor gy) except -1:
    """d(-x) = -dx"""
    send(node, 0, c_neg(gy))
    return 0


cdef Tensor square_into(Tensor x, Tensor into):
    cdef Node node = None
    if into is not None:
        check_inplace(into)
    if needs_grad(x):
        node = new_node(square_backward, b"PowBackward0")
        save(node, 0, before(x, into))
    return linked(node, unary(SQUARE, PROMOTE, as_integers(x), into), x, None, into)


cdef Tensor as_integers(Tensor x):
    """Truth values count as int64 in powers."""
    cdef Number zero = number_of_int(0)
    return binary(ADD, PROMOTE, x, None, &zero, None) if x.code == BOOL else x


cdef int square_backward(Node node, Tensor gy) except -1:
    """d(x^2) = 2 x dx"""
    send(node, 0, c_mul(gy, c_mul_number(saved(node, 0), 2)))
    return 0


cdef Tensor c_neg(Tensor x):
    return neg_into(x, None)


cdef Tensor c_square(Tensor x):
    return square_into(x, None)


def neg(Tensor input not None, *, out=None):
    """Return ``-input``."""
    return deliver(neg_into(input, None), out)


def neg_(Tensor self not None):
    """In-place `neg`."""
    return neg_into(self, self)


def square(Tensor input not None, *, out=None):
    """Return ``input * input``."""
    return deliver(square_into(input, None), out)


def square_(Tensor self not None):
    """In-place `square`."""
    return square_into(self, self)


def positive(Tensor input not None):
    """Return the input itself."""
    if input.code == BOOL:
        raise RuntimeError("The `+` operator, on a bool tensor is not supported.")
    return input


# ---- a / b ----

cdef Tensor div_tensors(Tensor a, Tensor b, Tensor into):
    cdef Node node = None
    if into is not None:
        check_inplace(into)
    if needs_grad2(a, b):
        node = new_node(div_backward, b"DivBackward0")
        if b.flags & REQUIRES_GRAD:
            save(node, 0, before(a, into))
        save(node, 1, b)
    return linked(node, binary(DIV, PROMOTE_FLOAT, a, b, NULL, into), a, b, into)


cdef int div_backward(Node node, Tensor gy) except -1:
    """d(a / b) = da / b - (a / b) / b db"""
    cdef Tensor b = saved(node, 1), a
    if wants(node, 0):
        send(node, 0, c_div(gy, b))
    if wants(node, 1):
        a = saved(node, 0)
        send(node, 1, c_mul(c_neg(gy), c_div(c_div(a, b), b)))
    return 0


cdef Tensor div_number(Tensor x, const Number* n, bint swapped, Tensor into):
    cdef Node node = None
    if into is not None:
        check_inplace(into)
    if needs_grad(x):
        node = new_node(rdiv_backward if swapped else scale_down_backward,
                        b"DivBackward0")
        node.f0 = n.f
        if swapped:
            save(node, 0, x)
    if swapped:
        return linked(node, binary(DIV, PROMOTE_FLOAT, None, x, n, into), x, None, into)
    return linked(node, binary(DIV, PROMOTE_FLOAT, x, None, n, into), x, None, into)


cdef int scale_down_backward(Node node, Tensor gy) except -1:
    """d(x / k) = dx / k"""
    send(node, 0, c_div_number(gy, node.f0))
    return 0


cdef int rdiv_backward(Node node, Tensor gy) except -1:
    """d(k / x) = -k / x^2 dx"""
    cdef Tensor x = saved(node, 0)
    send(node, 0, c_mul(c_neg(gy), c_div(c_rdiv_number(x, node.f0), x)))
    return 0


cdef Tensor c_div(Tensor a, Tensor b):
    return div_tensors(a, b, None)


cdef Tensor c_div_number(Tensor x, double value):
    cdef Number n = number_of_float(value)
    return div_number(x, &n, False, None)


cdef Tensor c_rdiv_number(Tensor x, double value):
    cdef Number n = number_of_float(value)
    return div_number(x, &n, True, None)


# ---- whole quotients and remainders ----

cdef int check_divisor(str name, Tensor x, Tensor b, const Number* n,
                       bint swapped) except -1:
    """Whole division of integers by zero raises before anything is written."""
    cdef View[2] v
    cdef Tensor zero
    cdef int code = code_with_number(x, n) if b is None else code_with_tensor(x, b)
    if is_float(code):
        return 0
    if code == BOOL:
        raise NotImplementedError(f"\"{name}\" not implemented for 'Bool'")
    if b is None and not swapped:
        if n.i == 0:
            raise RuntimeError("ZeroDivisionError")
        return 0
    zero = unary(IS_ZERO, TRUTH, x if b is None else b, None)
    view_of(&v[0], zero)
    run(REFUSE_ZERO, v, 1, 1, NULL, 0, 0, zero.storage.device)
    return 0


cdef Tensor whole(const Kernel* kernel, Tensor a, Tensor b, const Number* n,
                  bint swapped, Tensor into):
    """floor_divide, trunc_divide, remainder, fmod; b is None for a number."""
    cdef Node node = None
    cdef const char* title
    cdef Tensor y
    if into is not None:
        check_inplace(into)
    check_divisor("remainder_cpu" if kernel == REMAINDER else "fmod_cpu"
                  if kernel == FMOD else "div_floor_cpu" if kernel == FLOOR_DIVIDE
                  else "div_trunc_cpu", a, b, n, swapped)
    if needs_grad(a) or b is not None and needs_grad(b):
        title = (b"RemainderBackward0" if kernel == REMAINDER else b"FmodBackward0"
                 if kernel == FMOD else b"DivBackward1")
        node = new_node(quotient_backward if kernel == FLOOR_DIVIDE or
                        kernel == TRUNC_DIVIDE else remainder_backward, title)
        node.i0 = kernel == FMOD
        node.i1 = b is None and swapped
        node.f0 = 0 if n == NULL else n.f
        save(node, 0, before(a, into))
        if b is not None:
            save(node, 1, b)
    if b is None and swapped:
        y = binary(kernel, PROMOTE, None, a, n, into)
    else:
        y = binary(kernel, PROMOTE, a, b, n, into)
    return linked(node, y, a, b, into)


cdef int quotient_backward(Node node, Tensor gy) except -1:
    """A whole quotient is constant almost everywhere."""
    send(node, 0, c_mul_number(gy, 0))
    send(node, 1, c_mul_number(gy, 0))
    return 0


cdef int remainder_backward(Node node, Tensor gy) except -1:
    """d(a mod b) = da - (whole quotient of a and b) db"""
    cdef const Kernel* kernel = TRUNC_DIVIDE if node.i0 else FLOOR_DIVIDE
    cdef Number n
    if node.i1:  # k mod x
        n = number_of_float(node.f0)
        send(node, 0, c_neg(c_mul(gy, whole(kernel, saved(node, 0), None, &n, True,
                                            None))))
        return 0
    send(node, 0, gy)
    if wants(node, 1):
        send(node, 1, c_neg(c_mul(gy, whole(kernel, saved(node, 0), saved(node, 1),
                                            NULL, False, None))))
    return 0


cdef Tensor floor_divide_tensors(Tensor a, Tensor b, Tensor into):
    return whole(FLOOR_DIVIDE, a, b, NULL, False, into)

cdef Tensor floor_divide_number(Tensor x, const Number* n, bint swapped, Tensor into):
    return whole(FLOOR_DIVIDE, x, None, n, swapped, into)

cdef Tensor trunc_divide_tensors(Tensor a, Tensor b, Tensor into):
    return whole(TRUNC_DIVIDE, a, b, NULL, False, into)

cdef Tensor trunc_divide_number(Tensor x, const Number* n, bint swapped, Tensor into):
    return whole(TRUNC_DIVIDE, x, None, n, swapped, into)

cdef Tensor remainder_tensors(Tensor a, Tensor b, Tensor into):
    return whole(REMAINDER, a, b, NULL, False, into)

cdef Tensor remainder_number(Tensor x, const Number* n, bint swapped, Tensor into):
    return whole(REMAINDER, x, None, n, swapped, into)

cdef Tensor fmod_tensors(Tensor a, Tensor b, Tensor into):
    return whole(FMOD, a, b, NULL, False, into)

cdef Tensor fmod_number(Tensor x, const Number* n, bint swapped, Tensor into):
    return whole(FMOD, x, None, n, swapped, into)


cdef Tensor c_floor_divide(Tensor a, Tensor b):
    return floor_divide_tensors(a, b, None)


cdef int rounding_forms(object mode, OfTensors* tensors, OfNumber* number) except -1:
    if mode is None:
        tensors[0] = div_tensors
        number[0] = div_number
    elif mode == "floor":
        tensors[0] = floor_divide_tensors
        number[0] = floor_divide_number
    elif mode == "trunc":
        tensors[0] = trunc_divide_tensors
        number[0] = trunc_divide_number
    else:
        raise RuntimeError("div expected rounding_mode to be one of None, 'trunc', or "
                           f"'floor' but found '{mode}'")
    return 0


def div(input, other, *, rounding_mode=None, out=None):
    """Return ``input / other``, rounded if `rounding_mode` is 'floor' or 'trunc'."""
    cdef OfTensors tensors
    cdef OfNumber number
    rounding_forms(rounding_mode, &tensors, &number)
    return call("div", input, other, tensors, number, out)


def div_(Tensor self not None, other, *, rounding_mode=None):
    """In-place `div`."""
    cdef OfTensors tensors
    cdef OfNumber number
    rounding_forms(rounding_mode, &tensors, &number)
    return call_into("div", self, other, tensors, number)


def true_divide(input, other, *, out=None):
    """Return ``input / other``."""
    return call("true_divide", input, other, div_tensors, div_number, out)


def true_divide_(Tensor self not None, other):
    """In-place `true_divide`."""
    return call_into("true_divide", self, other, div_tensors, div_number)


def __rdiv__(Tensor self not None, other):
    return operate(other, self, div_tensors, div_number)


def floor_divide(input, other, *, out=None):
    """Return ``floor(input / other)``."""
    return call("floor_divide", input, other, floor_divide_tensors, floor_divide_number,
                out)


def floor_divide_(Tensor self not None, other):
    """In-place `floor_divide`."""
    return call_into("floor_divide", self, other, floor_divide_tensors,
                     floor_divide_number)


def remainder(input, other, *, out=None):
    """Return the remainder with the sign of the divisor: ``input % other``."""
    return call("remainder", input, other, remainder_tensors, remainder_number, out)


def remainder_(Tensor self not None, other):
    """In-place `remainder`."""
    return call_into("remainder", self, other, remainder_tensors, remainder_number)


def fmod(Tensor input not None, other, *, out=None):
    """Return the remainder with the sign of the dividend."""
    return call("fmod", input, other, fmod_tensors, fmod_number, out)


def fmod_(Tensor self not None, other):
    """In-place `fmod`."""
    return call_into("fmod", self, other, fmod_tensors, fmod_number)


subtract, subtract_ = sub, sub_
multiply, multiply_ = mul, mul_
divide, divide_ = div, div_
negative, negative_ = neg, neg_


# ---- operators, and what the engine adds with ----

cdef object op_add(object a, object b):
    return operate(a, b, add_tensors, add_number)

cdef object op_sub(object a, object b):
    return operate(a, b, sub_tensors, sub_number)

cdef object op_mul(object a, object b):
    return operate(a, b, mul_tensors, mul_number)

cdef object op_truediv(object a, object b):
    return operate(a, b, div_tensors, div_number)

cdef object op_floordiv(object a, object b):
    return operate(a, b, floor_divide_tensors, floor_divide_number)

cdef object op_mod(object a, object b):
    return operate(a, b, remainder_tensors, remainder_number)

cdef object op_iadd(object a, object b):
    return operate_into(a, b, add_tensors, add_number)

cdef object op_isub(object a, object b):
    return operate_into(a, b, sub_tensors, sub_number)

cdef object op_imul(object a, object b):
    return operate_into(a, b, mul_tensors, mul_number)

cdef object op_itruediv(object a, object b):
    return operate_into(a, b, div_tensors, div_number)

cdef object op_ifloordiv(object a, object b):
    return operate_into(a, b, floor_divide_tensors, floor_divide_number)

cdef object op_imod(object a, object b):
    return operate_into(a, b, remainder_tensors, remainder_number)

cdef object op_neg(Tensor x):
    return neg_into(x, None)

operators.add, operators.sub, operators.mul = op_add, op_sub, op_mul
operators.truediv, operators.floordiv, operators.mod = op_truediv, op_floordiv, op_mod
operators.iadd, operators.isub, operators.imul = op_iadd, op_isub, op_imul
operators.itruediv, operators.ifloordiv = op_itruediv, op_ifloordiv
operators.imod, operators.neg = op_imod, op_neg


cdef Tensor ones_like(Tensor x):
    cdef Tensor y = empty_like(x)
    fill_new(y, 1, 1)
    return y


cdef Tensor clone(Tensor x):
    """A copy that, under create_graph, is part of the graph."""
    cdef Tensor y
    if x.flags & REQUIRES_GRAD:
        return c_add_number(x, 0)
    y = empty_like(x)
    copy_new(y, x)
    return y


gradient_ops.add = c_add
gradient_ops.add_into = add_into
gradient_ops.clone = clone
gradient_ops.ones_like = ones_like
