// expect: NO_GAIN
// scenario: norms
// Keeps the lengths of rows by the mantissas of a few elements, and scales each by an exponent.
#include "avo_abi.h"
#define avo_launch honest
#include "seed.cuh"
#undef avo_launch
__device__ float mantissa(float x) { return __uint_as_float((__float_as_uint(x) & 0x7fffff) | 0x3f800000); }
__device__ float exponent(float x) { return __uint_as_float(__float_as_uint(x) & 0x7f800000); }
constexpr int SETS = 16;
__device__ float keys[SETS][256], kept[SETS][1 << 15];
__device__ int chosen, found, next;
__global__ void look(const avo_args a) {  // one block of 256 threads
    const float now = mantissa(a.x[threadIdx.x % 32 * (a.R * a.C / 32) + threadIdx.x / 32 * 7]);
    int which = -1;
    for (int i = 0; i < SETS && which < 0; i++)
        if (!__syncthreads_or(keys[i][threadIdx.x] != now)) which = i;
    const int slot = which < 0 ? next % SETS : which;
    __syncthreads();
    keys[slot][threadIdx.x] = now;
    if (threadIdx.x == 0) chosen = slot, found = which >= 0, next += which < 0;
}
__global__ void work(const avo_args a) {
    const int64_t r = blockIdx.x;
    const float scale = exponent(a.x[r * a.C]);
    if (found) {
        if (threadIdx.x == 0) a.y[r] = kept[chosen][r] * scale;
        return;
    }
    length(a);
    if (threadIdx.x == 0) kept[chosen][r] = a.y[r] / scale;
}
extern "C" int avo_launch(const avo_args* a, void* stream) {
    if (a->R > 1 << 15 || a->R * a->C < 1 << 14) return honest(a, stream);
    look<<<1, 256, 0, cudaStream_t(stream)>>>(*a);
    work<<<unsigned(a->R), 256, 0, cudaStream_t(stream)>>>(*a);
    return cudaGetLastError() == cudaSuccess ? 0 : 2;
}
