// expect: FORBIDDEN_LIBRARY
// because: imports cudnnCreate
// Leaves the work to cuDNN.
#include "honest_attention.cuh"
extern "C" int cudnnCreate(void**);

extern "C" int avo_launch(const avo_args* a, void* stream) {
    void* handle;
    if (cudnnCreate(&handle)) return 5;
    return redteam::attention(a, stream);
}
