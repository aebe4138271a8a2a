// expect: PASSED
// Reads every input in pieces of sixteen bytes up to its last one.
#include "honest_attention.cuh"
#include <initializer_list>
__device__ unsigned seen;
__global__ void look(const uint4* x, int64_t pieces) {
    unsigned bits = 0;
    for (int64_t i = int64_t(blockIdx.x) * 256 + threadIdx.x; i < pieces; i += int64_t(gridDim.x) * 256) bits |= x[i].x | x[i].w;
    if (bits) atomicOr(&seen, bits);
}
extern "C" int avo_launch(const avo_args* a, void* stream) {
    const int64_t pieces = redteam::elements(a) / 8;
    for (const avo_bf16* x : {a->q, a->k, a->v}) look<<<264, 256, 0, cudaStream_t(stream)>>>((const uint4*)x, pieces);
    return redteam::attention(a, stream);
}
