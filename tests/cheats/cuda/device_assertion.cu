// expect: RUNTIME_ERROR
// because: CUDA error 710|assert
// An assertion fails on the device.
#include "honest_attention.cuh"
#include <cassert>
__global__ void bad(uint8_t* at) { assert(at == nullptr); }
extern "C" int avo_launch(const avo_args* a, void* stream) {
    const int code = redteam::attention(a, stream);
    bad<<<1, 32, 0, cudaStream_t(stream)>>>(a->workspace);
    return code;
}
