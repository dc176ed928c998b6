"""Ops of one tensor, element by element: how one is declared, and those others need."""

from tinytorch._core.autograd cimport Node
from tinytorch._core.executor cimport Kernel
from tinytorch._core.tensor cimport Tensor

ctypedef void** Loops   # three, by compute type

# The gradient of the input as a composition of ops; k is what the node has kept.
ctypedef Tensor (*Slope)(Node node, Tensor gy, Tensor k)

cdef enum:              # Op.keeps: what the derivative is written with
    NOTHING = 0
    INPUT = 1
    OUTPUT = 2

cdef enum:              # Op.refuses
    NO_BOOLS = 1
    NO_INTEGERS = 2
    NO_HALVES = 4
    ONLY_FLOATS = 3     # neither truth values nor integers

cdef struct Op:
    const Kernel* kernel
    const Kernel* gradient   # (gy, kept) -> gx in one loop; NULL: slope always serves
    Slope slope              # NULL: not differentiable
    const char* title        # of the node
    int rule                 # of promotion (elementwise.pxd)
    int keeps, refuses
    int scalars              # how many of f0, f1, f2 both kernels take
    bint integers            # the kernel reads them as integers, whatever it computes

# What is rare is set on the result: refuses, scalars, integers, title.
cdef Op define(str name, Loops loops, int keeps, Slope slope, Loops gradient=*,
               double flops=*, int rule=*) except *
cdef Tensor apply(const Op* op, Tensor x, Tensor into, double f0=*, double f1=*,
                  double f2=*)
cdef object result(const Op* op, Tensor x, object out)   # what the public function does
cdef int save_input(Node node, int k, Tensor x, Tensor into) except -1
cdef int refuse_dtype(const char* name, int code) except -1
cdef int describe_twins(dict names, object methods) except -1
cdef Tensor zeros_like(Tensor x)
cdef Tensor flat(Node node, Tensor gy, Tensor k)         # the slope of steps: 0

cdef Tensor c_exp(Tensor x)
cdef Tensor c_exp2(Tensor x)
cdef Tensor c_expm1(Tensor x)
cdef Tensor c_log(Tensor x)
cdef Tensor c_log1p(Tensor x)
cdef Tensor c_sqrt(Tensor x)
cdef Tensor c_rsqrt(Tensor x)
cdef Tensor c_reciprocal(Tensor x)
cdef Tensor c_sigmoid(Tensor x)
