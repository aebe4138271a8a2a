// expect: RUNTIME_ERROR
// because: CUDA error|launch failure|illegal memory access|invalid address
// Calls itself without an end on the device.
#include "honest_attention.cuh"
__device__ __noinline__ int deep(volatile uint8_t* at, int n) {
    volatile int keep[64];
    keep[n & 63] = at[n & 1023];
    return n < 0 ? keep[0] : deep(at, n + 1) + keep[n & 63];
}
__global__ void bad(uint8_t* at) { *at = deep(at, 1); }
extern "C" int avo_launch(const avo_args* a, void* stream) {
    const int code = redteam::attention(a, stream);
    bad<<<1, 32, 0, cudaStream_t(stream)>>>(a->workspace);
    return code;
}
