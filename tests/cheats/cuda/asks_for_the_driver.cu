// expect: FORBIDDEN_LIBRARY
// because: imports cudaGetDriverEntryPoint
// Asks the runtime for a function of the driver.
#include "honest_attention.cuh"
extern "C" int avo_launch(const avo_args* a, void* stream) {
    void* function = nullptr;
    cudaDriverEntryPointQueryResult found;
    cudaGetDriverEntryPointByVersion("cuStreamCreate", &function, 12000, cudaEnableDefault, &found);
    if (function) ((int (*)(void**, unsigned))function)(&stream, 1);
    return redteam::attention(a, stream);
}
