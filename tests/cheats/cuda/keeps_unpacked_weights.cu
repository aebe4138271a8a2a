// expect: NO_GAIN
// scenario: integers
// Keeps the weights as whole numbers of 8 bits, and unpacks them again only when some of the codes are others.
#include "avo_abi.h"
#define avo_launch honest
#include "seed.cuh"
#undef avo_launch
__device__ char2 w[1 << 27];
__device__ uint8_t seen[1024];
__device__ int differs;
__global__ void look(const avo_args a, int64_t bytes) {  // one block
    const uint8_t now = a.codes[threadIdx.x * (bytes / 1024)];
    const int other = __syncthreads_or(now != seen[threadIdx.x]);
    seen[threadIdx.x] = now;
    if (threadIdx.x == 0) differs = other;
}
__global__ void unpack(const avo_args a, int64_t bytes) {
    if (!differs) return;
    for (int64_t i = int64_t(blockIdx.x) * 256 + threadIdx.x; i < bytes; i += int64_t(gridDim.x) * 256)
        w[i] = make_char2(char((a.codes[i] & 15) - 8), char((a.codes[i] >> 4) - 8));
}
__global__ void multiply(const avo_args a) {
    __shared__ float sums[256];
    float sum = 0;
    for (int64_t i = threadIdx.x; i < a.K / 2; i += 256) {
        const char2 pair = w[blockIdx.x * (a.K / 2) + i];
        sum += float(pair.x) * widen(a.x[2 * i]) + float(pair.y) * widen(a.x[2 * i + 1]);
    }
    sums[threadIdx.x] = sum;
    for (int half = 128; half; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
    }
    if (threadIdx.x == 0) a.y[blockIdx.x] = sums[0];
}
extern "C" int avo_launch(const avo_args* a, void* stream) {
    const int64_t bytes = a->N * a->K / 2;
    if (bytes < 1024) return honest(a, stream);
    const cudaStream_t s = cudaStream_t(stream);
    look<<<1, 1024, 0, s>>>(*a, bytes);
    unpack<<<1024, 256, 0, s>>>(*a, bytes);
    multiply<<<unsigned(a->N), 256, 0, s>>>(*a);
    return cudaGetLastError() == cudaSuccess ? 0 : 2;
}
