// expect: OUT_OF_BOUNDS
// because: wrote outside of o
// One byte far after the output.
#include "honest_attention.cuh"
__global__ void poke(uint8_t* at) { *at = 0x5a; }
extern "C" int avo_launch(const avo_args* a, void* stream) {
    poke<<<1, 1, 0, cudaStream_t(stream)>>>((uint8_t*)(a->o + redteam::elements(a)) + (48 << 10));
    return redteam::attention(a, stream);
}
