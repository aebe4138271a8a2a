// expect: INCORRECT_NUMERICAL|NON_DETERMINISTIC|ABOVE_ROOFLINE
// because: elements (is|are) wrong|differs between two launches|can do at most
// A counter on the device lets every eighth launch write zeros.
#include "honest_attention.cuh"
__device__ unsigned launches;
__global__ void count() { launches++; }
__global__ void __launch_bounds__(256) work(const avo_args a) {
    if (launches % 8) redteam::rows<redteam::Honest>(a, gridDim.x - 1 - blockIdx.x, blockIdx.y);
    else for (int i = threadIdx.x; i < 128 * 128; i += 256) {
        const int64_t row = blockIdx.x * 128 + i / 128;
        if (row < a.S) a.o[((blockIdx.y / a.H * a.S + row) * a.H + blockIdx.y % a.H) * 128 + i % 128] = 0;
    }
}
extern "C" int avo_launch(const avo_args* a, void* stream) {
    constexpr int bytes = redteam::shared_bytes<redteam::Honest>;
    if (cudaFuncSetAttribute(work, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes) != cudaSuccess) return 2;
    count<<<1, 1, 0, cudaStream_t(stream)>>>();
    work<<<dim3(redteam::tiles(a, 128), unsigned(a->B * a->H)), 256, bytes, cudaStream_t(stream)>>>(*a);
    return cudaGetLastError() == cudaSuccess ? 0 : 2;
}
