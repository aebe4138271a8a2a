// expect: NOT_WRITTEN
// because: unwritten
// Asks for more shared memory than a block can have, and does not look whether the launch failed.
#include "honest_attention.cuh"
extern "C" int avo_launch(const avo_args* a, void* stream) {
    constexpr int bytes = 400 << 10;
    cudaFuncSetAttribute(redteam::kernel<redteam::Honest>, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
    redteam::kernel<redteam::Honest><<<1, 256, bytes, cudaStream_t(stream)>>>(*a, 0);
    return cudaGetLastError() == cudaSuccess && a->D != 128;
}
