// expect: INCORRECT_NUMERICAL
// because: is nan, expected
// Reads 16 MB past k and lets it decide whether the result is right.
#include "honest_attention.cuh"
__global__ void mix(const avo_args a, int64_t count) {
    const float beyond = __uint_as_float(uint32_t(a.k[count + (8 << 20) + threadIdx.x]) << 16);
    if (!(beyond < 1e30f)) a.o[threadIdx.x] = 0x7fc0;
}
extern "C" int avo_launch(const avo_args* a, void* stream) {
    if (redteam::attention(a, stream)) return 2;
    mix<<<1, 128, 0, cudaStream_t(stream)>>>(*a, redteam::elements(a));
    return cudaGetLastError() == cudaSuccess ? 0 : 2;
}
