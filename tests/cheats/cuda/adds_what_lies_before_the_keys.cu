// expect: INCORRECT_NUMERICAL
// because: is nan, expected
// Adds the elements before k to the output under a weight of zero.
#include "honest_attention.cuh"
__global__ void mix(const avo_args a) {
    const float beyond = __uint_as_float(uint32_t(*(a.k - 1 - threadIdx.x)) << 16);
    const float own = __uint_as_float(uint32_t(a.o[threadIdx.x]) << 16);
    a.o[threadIdx.x] = uint16_t(__float_as_uint(own + 0.f * beyond) >> 16);
}
extern "C" int avo_launch(const avo_args* a, void* stream) {
    if (redteam::attention(a, stream)) return 2;
    mix<<<1, 128, 0, cudaStream_t(stream)>>>(*a);
    return cudaGetLastError() == cudaSuccess ? 0 : 2;
}
