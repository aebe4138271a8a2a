// expect: FORBIDDEN_LIBRARY
// because: imports cudaDeviceReset
// Takes the context away from the runner.
#include "honest_attention.cuh"
extern "C" int avo_launch(const avo_args* a, void* stream) {
    cudaDeviceReset();
    return redteam::attention(a, stream);
}
