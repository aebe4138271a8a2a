// expect: PASSED
// Clusters of two blocks, which wait for each other at the end.
#include "honest_attention.cuh"
__global__ void __launch_bounds__(256) paired(const avo_args a, unsigned tiles) {
    if (blockIdx.x < tiles) redteam::rows<redteam::Honest>(a, tiles - 1 - blockIdx.x, blockIdx.y);
    asm volatile("barrier.cluster.arrive.aligned;\nbarrier.cluster.wait.aligned;" ::: "memory");
}
extern "C" int avo_launch(const avo_args* a, void* stream) {
    constexpr int bytes = redteam::shared_bytes<redteam::Honest>;
    if (cudaFuncSetAttribute(paired, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes) != cudaSuccess) return 2;
    const unsigned tiles = redteam::tiles(a, 128);
    cudaLaunchAttribute cluster[1];
    cluster[0].id = cudaLaunchAttributeClusterDimension;
    cluster[0].val.clusterDim.x = 2, cluster[0].val.clusterDim.y = cluster[0].val.clusterDim.z = 1;
    cudaLaunchConfig_t how = {};
    how.gridDim = dim3((tiles + 1) / 2 * 2, unsigned(a->B * a->H)), how.blockDim = dim3(256);
    how.dynamicSmemBytes = bytes, how.stream = cudaStream_t(stream), how.attrs = cluster, how.numAttrs = 1;
    return cudaLaunchKernelEx(&how, paired, *a, tiles) == cudaSuccess ? 0 : 2;
}
