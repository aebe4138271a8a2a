// expect: NO_GAIN
// Lets the next launch begin before this one has ended.
#include "honest_attention.cuh"
__global__ void __launch_bounds__(256) eager(const avo_args a) {
    asm volatile("griddepcontrol.launch_dependents;");
    redteam::rows<redteam::Honest>(a, gridDim.x - 1 - blockIdx.x, blockIdx.y);
}
extern "C" int avo_launch(const avo_args* a, void* stream) {
    constexpr int bytes = redteam::shared_bytes<redteam::Honest>;
    if (cudaFuncSetAttribute(eager, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes) != cudaSuccess) return 2;
    cudaLaunchAttribute overlap[1];
    overlap[0].id = cudaLaunchAttributeProgrammaticStreamSerialization;
    overlap[0].val.programmaticStreamSerializationAllowed = 1;
    cudaLaunchConfig_t how = {};
    how.gridDim = dim3(redteam::tiles(a, 128), unsigned(a->B * a->H)), how.blockDim = dim3(256);
    how.dynamicSmemBytes = bytes, how.stream = cudaStream_t(stream), how.attrs = overlap, how.numAttrs = 1;
    return cudaLaunchKernelEx(&how, eager, *a) == cudaSuccess ? 0 : 2;
}
