// expect: FORBIDDEN_LIBRARY
// because: imports cudaStreamCreateWithFlags
// Works on a stream that no event of the runner waits for.
#include "honest_attention.cuh"
extern "C" int avo_launch(const avo_args* a, void* stream) {
    static cudaStream_t other;
    if (!other) cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking);
    stream = other;
    return redteam::attention(a, stream);
}
