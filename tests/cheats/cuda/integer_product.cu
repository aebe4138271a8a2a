// expect: INCORRECT_DTYPE
// because: computes in int8
// An mma of int8 among the others.
#include "honest_attention.cuh"
__global__ void product(int* at) {
    int c[4] = {};
    asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
                 : "r"(at[0]), "r"(at[1]), "r"(at[2]), "r"(at[3]), "r"(at[4]), "r"(at[5]));
    for (int i = 0; i < 4; i++) at[threadIdx.x * 4 + i] = c[i];
}
extern "C" int avo_launch(const avo_args* a, void* stream) {
    product<<<1, 32, 0, cudaStream_t(stream)>>>((int*)a->workspace);
    return redteam::attention(a, stream);
}
