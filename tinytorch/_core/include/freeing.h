/* Freeing long graphs on any stack.

   A node or tensor that goes lets go of what it came from, which may go, too: a million
   of them, one inside the other.  Python's own guard (the trashcan) lets them nest so
   deep in CPython 3.13 that only the main thread's stack holds it.  So here they count
   themselves, and below a depth they wait in a list until the outermost one is done. */
#ifndef TT_FREEING_H
#define TT_FREEING_H
#include <Python.h>
#include <stdlib.h>
#include "modes.h"

#define TT_DEEPEST 50

typedef struct TT_Unfreed {
    struct TT_Unfreed *next;
    PyObject *object; /* without references, half gone if its class is a Python one */
    PyTypeObject *type; /* held, as its instance does not hold it in all versions */
    destructor free;
} TT_Unfreed;

/* False where there is no memory to remember it: it has to go at once, then. */
static int tt_let_wait(PyObject *x, destructor free) {
    TT_Unfreed *u = malloc(sizeof *u);
    if (!u) return 0;
    PyObject_GC_UnTrack(x);
    Py_INCREF(Py_TYPE(x));
    *u = (TT_Unfreed){tt_unfreed, x, Py_TYPE(x), free};
    tt_unfreed = u;
    return 1;
}

/* `free_now`: the type's destructor as Cython made it. */
static inline void tt_free_object(PyObject *x, destructor free_now) {
    if (tt_freeing >= TT_DEEPEST && tt_let_wait(x, free_now)) return;
    tt_freeing++;
    free_now(x);
    while (tt_freeing == 1 && tt_unfreed) {
        TT_Unfreed u = *tt_unfreed;
        free(tt_unfreed);
        tt_unfreed = u.next;
        u.free(u.object);
        Py_DECREF(u.type);
    }
    tt_freeing--;
}
#endif
