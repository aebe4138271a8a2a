// expect: PASSED
// Prints from the device and allocates there: legal, if of no use.
#include "honest_attention.cuh"
#include <cstdio>
__global__ void talk(int64_t S) {
    void* block = malloc(64 + threadIdx.x);
    if (blockIdx.x + threadIdx.x == 0) printf("S = %lld, memory %d\n", (long long)S, block != nullptr);
    free(block);
}
extern "C" int avo_launch(const avo_args* a, void* stream) {
    talk<<<4, 64, 0, cudaStream_t(stream)>>>(a->S);
    return redteam::attention(a, stream);
}
