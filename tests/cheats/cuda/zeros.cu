// expect: INCORRECT_NUMERICAL
// because: elements (is|are) wrong
// Writes zeros.
#include "honest_attention.cuh"
extern "C" int avo_launch(const avo_args* a, void* stream) {
    return cudaMemsetAsync(a->o, 0, redteam::elements(a) * 2, cudaStream_t(stream)) == cudaSuccess ? 0 : 2;
}
