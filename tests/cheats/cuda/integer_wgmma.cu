// expect: INCORRECT_DTYPE
// because: computes in int8
// A wgmma of int8 among the others.
#include "honest_attention.cuh"
__global__ void product(int* at) {
    const uint64_t tile = 1ull << 62 | 64ull << 32 | 1ull << 16;
    int c[4] = {};
    asm volatile("wgmma.fence.sync.aligned;");
    asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, 1, 0;\n"
                 "wgmma.mma_async.sync.aligned.m64n8k32.s32.s8.s8 {%0,%1,%2,%3}, %4, %5, p;\n}"
                 : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3]) : "l"(tile), "l"(tile));
    asm volatile("wgmma.commit_group.sync.aligned;\nwgmma.wait_group.sync.aligned 0;" ::: "memory");
    for (int i = 0; i < 4; i++) at[threadIdx.x * 4 + i] = c[i];
}
extern "C" int avo_launch(const avo_args* a, void* stream) {
    product<<<1, 128, 0, cudaStream_t(stream)>>>((int*)a->workspace);
    return redteam::attention(a, stream);
}
