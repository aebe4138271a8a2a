// expect: RUNTIME_ERROR
// because: illegal memory access
// Writes through a null pointer on the device.
#include "honest_attention.cuh"
__global__ void bad() { *(volatile int*)16 = 1; }
extern "C" int avo_launch(const avo_args* a, void* stream) {
    const int code = redteam::attention(a, stream);
    bad<<<1, 32, 0, cudaStream_t(stream)>>>();
    return code;
}
