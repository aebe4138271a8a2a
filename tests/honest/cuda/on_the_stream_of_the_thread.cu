// expect: PASSED
// Launches on the stream of its thread, which the runner's events wait for.
#include "honest_attention.cuh"
extern "C" int avo_launch(const avo_args* a, void* stream) {
    (void)stream;
    return redteam::attention(a, cudaStreamPerThread);
}
