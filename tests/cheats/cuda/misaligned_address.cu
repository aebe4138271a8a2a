// expect: RUNTIME_ERROR
// because: misaligned address
// Reads four bytes at an odd address.
#include "honest_attention.cuh"
__global__ void bad(uint8_t* at) { *(volatile int*)(at + 1) += 1; }
extern "C" int avo_launch(const avo_args* a, void* stream) {
    const int code = redteam::attention(a, stream);
    bad<<<1, 32, 0, cudaStream_t(stream)>>>(a->workspace);
    return code;
}
