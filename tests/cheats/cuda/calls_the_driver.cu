// expect: FORBIDDEN_LIBRARY
// because: imports cuStreamCreate
// Calls the driver beside the runtime.
#include "honest_attention.cuh"
extern "C" int cuStreamCreate(void**, unsigned);

extern "C" int avo_launch(const avo_args* a, void* stream) {
    cuStreamCreate(&stream, 1);
    return redteam::attention(a, stream);
}
