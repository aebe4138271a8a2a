// expect: INCORRECT_NUMERICAL
// because: is nan, expected
// Adds the elements after v to the output under a weight of zero, as a tile that reaches past the last row does.
#include "honest_attention.cuh"
__global__ void mix(const avo_args a, int64_t count) {
    const float beyond = __uint_as_float(uint32_t(a.v[count + threadIdx.x]) << 16);
    const float own = __uint_as_float(uint32_t(a.o[count - 256 + threadIdx.x]) << 16);
    a.o[count - 256 + threadIdx.x] = uint16_t(__float_as_uint(own + 0.f * beyond) >> 16);
}
extern "C" int avo_launch(const avo_args* a, void* stream) {
    const int64_t count = redteam::elements(a);
    if (count < 256 || redteam::attention(a, stream)) return redteam::attention(a, stream);
    mix<<<1, 256, 0, cudaStream_t(stream)>>>(*a, count);
    return cudaGetLastError() == cudaSuccess ? 0 : 2;
}
