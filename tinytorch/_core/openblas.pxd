# A function of the library; RuntimeError if there is no library, or none of that name.
cdef void* blas_symbol(str name) except NULL
