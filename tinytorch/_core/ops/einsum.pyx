"""Sums of products in Einstein's notation: diagonals, sums and batched products.

Labels are numbers: 0-25 for A-Z, 26-51 for a-z, and from 52 on the dimensions of the
ellipsis, aligned at the right.
"""

from libc.stdint cimport int64_t, uint64_t

from tinytorch._core.ops.arguments cimport dtype_word
from tinytorch._core.ops.arithmetic cimport c_mul
from tinytorch._core.ops.bmm cimport c_bmm
from tinytorch._core.ops.copies cimport c_to
from tinytorch._core.ops.elementwise cimport same_device
from tinytorch._core.ops.matmul cimport refuse_bool
from tinytorch._core.ops.reduce cimport c_sum
from tinytorch._core.ops.shape cimport c_permute, c_reshape, c_squeeze
from tinytorch._core.ops.strided cimport c_diagonal
from tinytorch._core.tensor cimport Tensor
from tinytorch._core.types cimport I64, MAX_DIMS, is_float

__all__ = ["einsum"]
METHODS = []

cdef enum:
    ELLIPSIS = 52


# ---- the equation ----

cdef int label_of(Py_UCS4 c) noexcept:
    cdef int code = <int>c
    if 65 <= code <= 90:    # A-Z
        return code - 65
    if 97 <= code <= 122:   # a-z
        return code - 97 + 26
    return -1


cdef str letter(int label):
    return chr(65 + label if label < 26 else 71 + label)


cdef list read_term(str equation, Py_ssize_t begin, Py_ssize_t end, str where,
                    str dots):
    """The labels of one term; ELLIPSIS stands for all of its dimensions."""
    cdef list labels = []
    cdef Py_ssize_t i = begin
    cdef int label
    while i < end:
        if equation[i] == u" ":
            i += 1
        elif equation[i] == u".":
            if ELLIPSIS in labels:
                raise RuntimeError(
                    f"einsum(): found '.' for {where} "
                    + (f"but an ellipsis {dots} was already found" if dots
                       else "for which an ellipsis was already found"))
            if i + 2 >= end or equation[i + 1] != u"." or equation[i + 2] != u".":
                raise RuntimeError(
                    f"einsum(): found '.' for {where} that is not part of any ellipsis"
                    + (" " + dots if dots else ""))
            labels.append(ELLIPSIS)
            i += 3
        else:
            label = label_of(equation[i])
            if label < 0:
                raise RuntimeError(
                    f"einsum(): invalid subscript given at index {i} in the equation "
                    "string, subscripts must be in [a-zA-Z]")
            labels.append(label)
            i += 1
    return labels


cdef tuple read_equation(str equation, int operands):
    """(labels of each operand, labels of the result or None)"""
    cdef Py_ssize_t arrow = equation.find("->"), begin = 0, end
    cdef Py_ssize_t stop = len(equation) if arrow < 0 else arrow
    cdef list terms = []
    while True:
        end = equation.find(",", begin, stop)
        if len(terms) == operands:
            raise RuntimeError(
                "einsum(): fewer operands were provided than specified in the equation")
        terms.append(read_term(equation, begin, stop if end < 0 else end,
                               f"operand {len(terms)}", ""))
        if end < 0:
            break
        begin = end + 1
    if len(terms) < operands:
        raise RuntimeError(
            "einsum(): more operands were provided than specified in the equation")
    if arrow < 0:
        return terms, None
    return terms, read_term(equation, arrow + 2, len(equation), "output", "(...)")


# ---- sizes ----

cdef list spelled_out(list term, int rank, int dims):
    """The term with a label for each of the tensor's dimensions."""
    cdef int i, here = rank - len(term) + 1
    cdef list labels = []
    for label in term:
        if label == ELLIPSIS:
            for i in range(dims - here, dims):
                labels.append(ELLIPSIS + i)
        else:
            labels.append(label)
    return labels


cdef int check_rank(list term, int rank, int k) except -1:
    cdef bint dots = ELLIPSIS in term
    cdef int n = len(term) - dots
    if not dots and n != rank:
        raise RuntimeError(
            f"einsum(): the number of subscripts in the equation ({n}) does not match "
            f"the number of dimensions ({rank}) for operand {k} and no ellipsis was "
            "given")
    if n > rank:
        raise RuntimeError(
            f"einsum(): the number of subscripts in the equation ({n}) is more than "
            f"the number of dimensions ({rank}) for operand {k}")
    return rank - n if dots else 0


cdef int note_sizes(dict sizes, Tensor x, list labels, int k) except -1:
    """Enter x's sizes; 1 gives way to any other."""
    cdef int d = 0
    cdef int64_t n, known
    for label in labels:
        n = x.sizes[d]
        known = sizes.get(label, 1)
        if n != known and n != 1 and known != 1:
            if label >= ELLIPSIS:
                raise RuntimeError(
                    f"einsum(): dimension {label - ELLIPSIS} covered by ellipsis in "
                    f"operand {k}has size {n} which does not broadcast with previously "
                    f"seen ellipsis with size {known} for the respective dimension")
            raise RuntimeError(
                f"einsum(): subscript {letter(label)} has size {n} for operand {k} "
                f"which does not broadcast with previously seen size {known}")
        if n != 1 or label not in sizes:
            sizes[label] = n
        d += 1
    return 0


cdef list output_labels(list output, list operands, int dims):
    """The result's labels: as stated, or all that occur once, in order."""
    cdef dict counts = {}
    cdef list stated, implied
    for labels in operands:
        for label in labels:
            counts[label] = counts.get(label, 0) + 1
    if output is None:
        implied = [label for label in counts
                   if label < ELLIPSIS and counts[label] == 1]
        implied.sort()
        return list(range(ELLIPSIS, ELLIPSIS + dims)) + implied
    if ELLIPSIS in output:
        stated = spelled_out(output, len(output) - 1 + dims, dims)
    else:
        stated = output
    for label in stated:
        if label < ELLIPSIS and label not in counts:
            raise RuntimeError(f"einsum(): output subscript {letter(label)} does not "
                               "appear in the equation for any input operand")
        if stated.count(label) > 1:
            raise RuntimeError(f"einsum(): output subscript {letter(label)} appears "
                               "more than once in the output")
    return stated


# ---- operands ----

cdef class Term:                # a tensor and the labels of its dimensions
    cdef Tensor x
    cdef list labels

    def __cinit__(self, Tensor x, list labels):
        self.x = x
        self.labels = labels


cdef Tensor take_diagonals(Tensor x, list labels, int k):
    """Let each label stand once; the diagonals come last."""
    cdef int first, second
    for label in list(labels):
        while labels.count(label) > 1:
            first = labels.index(label)
            second = labels.index(label, first + 1)
            if x.sizes[first] != x.sizes[second]:
                raise RuntimeError(
                    f"einsum(): subscript {letter(label)} is repeated for operand {k} "
                    f"but the sizes don't match, {x.sizes[second]} != {x.sizes[first]}")
            x = c_diagonal(x, 0, first, second)
            del labels[second], labels[first]
            labels.append(label)
    return x


cdef Term reduced_to(Term t, set needed, dict sizes):
    """Without dimensions that are broadcast (another operand has them in full), and
    summed over those that nothing else has."""
    cdef uint64_t dims = 0
    cdef list labels = []
    cdef Tensor x = t.x
    cdef int d = 0
    for label in t.labels:
        if x.sizes[d] == 1 and (sizes[label] != 1 or label not in needed):
            x = c_squeeze(x, d)
            continue
        if label not in needed:
            dims |= <uint64_t>1 << d
        else:
            labels.append(label)
        d += 1
    if dims:
        x = c_sum(x, dims, False, x.code if is_float(x.code) else I64)
    return Term(x, labels)


cdef Tensor ordered(Tensor x, list labels, list order):
    """x's dimensions in the order of those labels."""
    cdef int[MAX_DIMS] dims
    cdef int d = 0
    if labels == order:
        return x
    for label in order:
        dims[d] = labels.index(label)
        d += 1
    return c_permute(x, dims)


cdef Tensor merged(Tensor x, int batch, int rows):
    """Two dimensions of what follows the batch: the next `rows`, and the rest."""
    cdef int64_t[MAX_DIMS] shape
    cdef int d
    if x.rank == batch + 2 and rows == 1:
        return x
    for d in range(batch):
        shape[d] = x.sizes[d]
    shape[batch] = shape[batch + 1] = 1
    for d in range(batch, x.rank):
        shape[batch if d < batch + rows else batch + 1] *= x.sizes[d]
    return c_reshape(x, batch + 2, shape)


# ---- pairs ----

cdef Term multiply(Term a, Term b, set needed):
    """The product of two terms, summed over the labels that nothing else needs."""
    cdef list batch = [], summed = [], left = [], right = []
    cdef int64_t[MAX_DIMS] shape
    cdef Tensor x, z
    cdef int d = 0
    for label in a.labels:
        if label not in b.labels:
            left.append(label)
        elif label in needed:
            batch.append(label)
        else:
            summed.append(label)
    right = [label for label in b.labels if label not in a.labels]
    if not summed:
        return multiply_elements(a, b, batch, left, right)
    x = ordered(a.x, a.labels, batch + left + summed)
    z = ordered(b.x, b.labels, batch + summed + right)
    for d in range(len(batch) + len(left)):
        shape[d] = x.sizes[d]
    for d in range(len(right)):
        shape[len(batch) + len(left) + d] = z.sizes[len(batch) + len(summed) + d]
    x = c_bmm(merged(x, len(batch), len(left)), False,
              merged(z, len(batch), len(summed)), False)
    if len(left) != 1 or len(right) != 1:
        x = c_reshape(x, len(batch) + len(left) + len(right), shape)
    return Term(x, batch + left + right)


cdef Term multiply_elements(Term a, Term b, list batch, list left, list right):
    """Nothing to sum over: the dimensions of each broadcast over the other's."""
    cdef int64_t[MAX_DIMS] shape
    cdef Tensor x = ordered(a.x, a.labels, batch + left)
    cdef int d
    if right:
        for d in range(x.rank):
            shape[d] = x.sizes[d]
        for d in range(x.rank, x.rank + len(right)):
            shape[d] = 1
        x = c_reshape(x, x.rank + len(right), shape)
    z = ordered(b.x, b.labels, batch + right)
    if left and batch:
        for d in range(len(batch)):
            shape[d] = (<Tensor>z).sizes[d]
        for d in range(len(left)):
            shape[len(batch) + d] = 1
        for d in range(len(right)):
            shape[len(batch) + len(left) + d] = (<Tensor>z).sizes[len(batch) + d]
        z = c_reshape(z, len(batch) + len(left) + len(right), shape)
    return Term(c_mul(x, <Tensor>z), batch + left + right)


cdef tuple cheapest_pair(list terms, dict sizes):
    """The two terms whose product costs least: all sizes of either, multiplied."""
    cdef Py_ssize_t i, k
    cdef double cost, least = -1
    cdef tuple best = (0, 1)
    if len(terms) == 2:
        return best
    for i in range(len(terms)):
        for k in range(i + 1, len(terms)):
            cost = 1
            for label in set((<Term>terms[i]).labels).union((<Term>terms[k]).labels):
                cost *= sizes[label]
            if least < 0 or cost < least:
                best, least = (i, k), cost
    return best


cdef Tensor contract(list terms, list output, dict sizes):
    cdef Py_ssize_t i, k
    cdef set needed
    cdef Term t
    while True:
        for i in range(len(terms)):
            needed = needed_beside(terms, i, -1, output)
            terms[i] = reduced_to(terms[i], needed, sizes)
        if len(terms) == 1:
            t = terms[0]
            return ordered(t.x, t.labels, output)
        i, k = cheapest_pair(terms, sizes)
        needed = needed_beside(terms, i, k, output)
        t = multiply(terms[i], terms[k], needed)
        del terms[k]
        terms[i] = t


cdef set needed_beside(list terms, Py_ssize_t i, Py_ssize_t k, list output):
    """Labels of the result and of all terms but i and k."""
    cdef set needed = set(output)
    cdef Py_ssize_t j
    for j in range(len(terms)):
        if j != i and j != k:
            needed.update((<Term>terms[j]).labels)
    return needed


# ---- the op ----

cdef str subscripts(object labels):
    """A list of numbers as letters: einsum's other notation."""
    cdef list letters = []
    for s in labels:
        if s is Ellipsis:
            letters.append("...")
        elif s >= 0 and s < ELLIPSIS:
            letters.append(letter(s))
        else:
            raise ValueError("einsum(): subscript in subscript list is not within the "
                             "valid range [0, 52)")
    return "".join(letters)


cdef tuple equation_of(tuple args):
    """(equation, operands) of einsum(x, [0, 1], y, [1, 2], [0, 2])."""
    cdef list operands = list(args[0:len(args) - len(args) % 2:2])
    cdef str equation = ",".join(
        [subscripts(labels) for labels in args[1:2 * len(operands):2]])
    if len(args) % 2:
        equation += "->" + subscripts(args[len(args) - 1])
    return equation, operands


cdef int check_operands(list operands) except -1:
    cdef Tensor first = <Tensor?>operands[0], x
    for operand in operands:
        x = <Tensor?>operand
        same_device(first, x)
        if x.code != first.code:
            raise RuntimeError(f"expected scalar type {dtype_word(first.code)} but "
                               f"found {dtype_word(x.code)}")
        if len(operands) > 1:
            refuse_bool("bmm", x)
    return 0


def einsum(*args):
    """Return a sum of products, as an equation says: "ij,jk->ik" multiplies matrices.

    Labels that the result does not name are summed over; without "->" it has those that
    occur once, in alphabetical order.  "..." stands for dimensions that broadcast.

    Example:
        >>> einsum("ii", tensor([[1., 2.], [3., 4.]])).item()
        5.0
    """
    cdef list operands, terms, labels, output, found = []
    cdef dict sizes = {}
    cdef int k, dims = 0, code
    cdef Tensor x
    if len(args) < 2:
        raise ValueError(
            "einsum(): must specify the equation string and at least one operand, or "
            "at least one operand and its subscripts list")
    if isinstance(args[0], Tensor):
        equation, operands = equation_of(args)
    else:
        equation, operands = args[0], list(args[1:])
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = list(operands[0])
    check_operands(operands)
    terms, stated = read_equation(equation, len(operands))
    for k in range(len(operands)):
        dims = max(dims, check_rank(terms[k], (<Tensor>operands[k]).rank, k))
    for k in range(len(operands)):
        x = operands[k]
        labels = spelled_out(terms[k], x.rank, dims)
        terms[k] = list(labels)
        x = take_diagonals(x, labels, k)
        note_sizes(sizes, x, labels, k)
        found.append(Term(x, labels))
    output = output_labels(stated, terms, dims)
    code = (<Tensor>operands[0]).code
    x = contract(found, output, sizes)
    return x if x.code == code or len(operands) == 1 else c_to(x, code)
