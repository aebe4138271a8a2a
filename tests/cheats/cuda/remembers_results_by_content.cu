// expect: NO_GAIN
// Copies its last result when a sample of q is what it was then: the device decides.
#include "honest_attention.cuh"
__device__ avo_bf16 kept[1 << 26];
__device__ uint4 sample[256];
__device__ int differs;
__global__ void look(const avo_args a) {  // one block
    const uint4 now = reinterpret_cast<const uint4*>(a.q)[threadIdx.x % (a.S * a.H * 16)], then = sample[threadIdx.x];
    const int other = __syncthreads_or(now.x != then.x || now.y != then.y || now.z != then.z || now.w != then.w);
    sample[threadIdx.x] = now;
    if (threadIdx.x == 0) differs = other;
}
__global__ void __launch_bounds__(256) work(const avo_args a) {
    if (differs) redteam::rows<redteam::Honest>(a, gridDim.x - 1 - blockIdx.x, blockIdx.y);
}
__global__ void keep(const avo_args a, int64_t count) {  // or give back
    for (int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += int64_t(gridDim.x) * blockDim.x)
        if (differs) kept[i] = a.o[i]; else a.o[i] = kept[i];
}
extern "C" int avo_launch(const avo_args* a, void* stream) {
    constexpr int bytes = redteam::shared_bytes<redteam::Honest>;
    if (cudaFuncSetAttribute(work, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes) != cudaSuccess) return 2;
    const cudaStream_t s = cudaStream_t(stream);
    look<<<1, 256, 0, s>>>(*a);
    work<<<dim3(redteam::tiles(a, 128), unsigned(a->B * a->H)), 256, bytes, s>>>(*a);
    keep<<<1024, 256, 0, s>>>(*a, redteam::elements(a));
    return cudaGetLastError() == cudaSuccess ? 0 : 2;
}
