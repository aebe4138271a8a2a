// expect: PASSED
// As many blocks as fit, which draw their work from a counter in device memory.
#include "honest_attention.cuh"
__device__ unsigned next;
__global__ void __launch_bounds__(256) persistent(const avo_args a, unsigned tiles, unsigned total) {
    __shared__ unsigned s_mine;
    for (;;) {
        if (threadIdx.x == 0) s_mine = atomicAdd(&next, 1);
        __syncthreads();
        const unsigned mine = s_mine;
        if (mine >= total) return;
        redteam::rows<redteam::Honest>(a, tiles - 1 - mine % tiles, mine / tiles);
        __syncthreads();
    }
}
extern "C" int avo_launch(const avo_args* a, void* stream) {
    constexpr int bytes = redteam::shared_bytes<redteam::Honest>;
    int device, processors, blocks;
    void* counter;
    if (cudaFuncSetAttribute(persistent, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes) || cudaGetDevice(&device) ||
        cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device) ||
        cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, persistent, 256, bytes) ||
        cudaGetSymbolAddress(&counter, next) ||
        cudaMemsetAsync(counter, 0, sizeof next, cudaStream_t(stream)))
        return 2;
    const unsigned tiles = redteam::tiles(a, 128), total = tiles * unsigned(a->B * a->H);
    persistent<<<unsigned(processors * blocks), 256, bytes, cudaStream_t(stream)>>>(*a, tiles, total);
    return cudaGetLastError() == cudaSuccess ? 0 : 2;
}
