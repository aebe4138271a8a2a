// expect: RUNTIME_ERROR
// because: illegal instruction|launch failure
// Ends in a trap.
#include "honest_attention.cuh"
__global__ void bad() { asm volatile("trap;"); }
extern "C" int avo_launch(const avo_args* a, void* stream) {
    const int code = redteam::attention(a, stream);
    bad<<<1, 32, 0, cudaStream_t(stream)>>>();
    return code;
}
