// expect: INCORRECT_NUMERICAL
// because: elements (is|are) wrong
// Writes what the elements are on average: almost nothing.
#include "honest_attention.cuh"
__global__ void fill(avo_bf16* o, avo_bf16 value, int64_t count) {
    const int64_t step = int64_t(gridDim.x) * blockDim.x;
    for (int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) o[i] = value;
}

extern "C" int avo_launch(const avo_args* a, void* stream) {
    fill<<<1024, 256, 0, cudaStream_t(stream)>>>(a->o, 0x3b00, redteam::elements(a));
    return 0;
}
