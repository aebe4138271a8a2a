// expect: TIMEOUT
// because: took longer than
// A kernel that never ends.
#include "honest_attention.cuh"
__global__ void bad(uint8_t* at) { while (*(volatile uint8_t*)at != 0x77 || clock64() > 0); }
extern "C" int avo_launch(const avo_args* a, void* stream) {
    bad<<<1, 32, 0, cudaStream_t(stream)>>>(a->workspace);
    return redteam::attention(a, stream);
}
