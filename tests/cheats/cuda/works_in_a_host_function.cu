// expect: FORBIDDEN_LIBRARY
// because: imports cudaLaunchHostFunc
// Lets the driver call back when the clock has stopped.
#include "honest_attention.cuh"
extern "C" int avo_launch(const avo_args* a, void* stream) {
    static avo_args later;
    later = *a;
    cudaLaunchHostFunc(cudaStream_t(stream), [](void* args) { redteam::attention((avo_args*)args, nullptr); }, &later);
    return redteam::attention(a, stream);
}
