/* The structures of DLPack: how libraries hand tensors to one another. */
#ifndef TT_DLPACK_H
#define TT_DLPACK_H
#include <stdint.h>

enum { TT_DL_INT = 0, TT_DL_UINT = 1, TT_DL_FLOAT = 2, TT_DL_BFLOAT = 4,
       TT_DL_BOOL = 6 };
enum { TT_DL_CPU = 1, TT_DL_CUDA = 2 };

typedef struct { int32_t device_type, device_id; } DLDevice;
typedef struct { uint8_t code, bits; uint16_t lanes; } DLDataType;

typedef struct {
    void *data;
    DLDevice device;
    int32_t ndim;
    DLDataType dtype;
    int64_t *shape, *strides;  /* strides in elements; NULL: contiguous */
    uint64_t byte_offset;
} DLTensor;

typedef struct DLManagedTensor {
    DLTensor dl_tensor;
    void *manager_ctx;
    void (*deleter)(struct DLManagedTensor *self);
} DLManagedTensor;

/* From version 1 on: says which, and whether the memory may be written. */
typedef struct DLManagedTensorVersioned {
    struct { uint32_t major, minor; } version;
    void *manager_ctx;
    void (*deleter)(struct DLManagedTensorVersioned *self);
    uint64_t flags;
    DLTensor dl_tensor;
} DLManagedTensorVersioned;

static inline void tt_dl_set_version(DLManagedTensorVersioned *managed) {
    managed->version.major = 1;
    managed->version.minor = 0;
}
#endif
