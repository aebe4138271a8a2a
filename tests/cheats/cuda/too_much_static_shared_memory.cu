// expect: COMPILE_ERROR
// because: too much shared data
// A block with 300 KiB of static shared memory.
#include "honest_attention.cuh"
__global__ void large(float* at) {
    __shared__ float s_all[75 << 10];
    s_all[threadIdx.x * 256] = at[threadIdx.x];
    __syncthreads();
    at[threadIdx.x] = s_all[(75 << 10) - 1 - threadIdx.x * 256];
}
extern "C" int avo_launch(const avo_args* a, void* stream) {
    large<<<1, 256, 0, cudaStream_t(stream)>>>((float*)a->workspace);
    return redteam::attention(a, stream);
}
