// y = W x, a block to a row; weights are unpacked as they are used.
#include "avo_abi.h"
#include <cuda_runtime.h>

__device__ inline float widen(avo_bf16 x) { return __uint_as_float(uint32_t(x) << 16); }

__global__ void product(const avo_args a) {
    __shared__ float sums[256];
    float sum = 0;
    for (int64_t i = threadIdx.x; i < a.K / 2; i += 256) {
        const int code = a.codes[blockIdx.x * (a.K / 2) + i];
        sum += float((code & 15) - 8) * widen(a.x[2 * i]) + float((code >> 4) - 8) * widen(a.x[2 * i + 1]);
    }
    sums[threadIdx.x] = sum;
    for (int half = 128; half; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
    }
    if (threadIdx.x == 0) a.y[blockIdx.x] = sums[0];
}

extern "C" int avo_launch(const avo_args* a, void* stream) {
    product<<<unsigned(a->N), 256, 0, cudaStream_t(stream)>>>(*a);
    return cudaGetLastError() == cudaSuccess ? 0 : 2;
}
