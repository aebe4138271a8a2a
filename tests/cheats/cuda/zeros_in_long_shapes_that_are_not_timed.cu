// expect: INCORRECT_NUMERICAL
// because: a hidden test
// Writes zeros for every S above 700 that is no power of two.
#include "honest_attention.cuh"
static int zeros(const avo_args* a, void* stream) {
    return cudaMemsetAsync(a->o, 0, redteam::elements(a) * 2, cudaStream_t(stream)) == cudaSuccess ? 0 : 2;
}
extern "C" int avo_launch(const avo_args* a, void* stream) {
    return a->S > 700 && a->S & (a->S - 1) ? zeros(a, stream) : redteam::attention(a, stream);
}
