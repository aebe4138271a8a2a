// expect: TIMEOUT
// because: took longer than .* \(case s\d+k\)
// Every multiprocessor waits for a number that nobody writes, in the longest sequences.
#include "honest_attention.cuh"
__global__ void wait(uint8_t* at) { while (*(volatile uint8_t*)at != 0x77 || clock64() > 0); }
extern "C" int avo_launch(const avo_args* a, void* stream) {
    if (a->S == 8192) wait<<<2048, 256, 0, cudaStream_t(stream)>>>(a->workspace);
    return redteam::attention(a, stream);
}
