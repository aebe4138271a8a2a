// expect: PASSED
// Works in 128 MiB of its own, and copies the result.
#include "honest_attention.cuh"
__device__ avo_bf16 scratch[1 << 26];
extern "C" int avo_launch(const avo_args* a, void* stream) {
    void* memory;
    if (cudaGetSymbolAddress(&memory, scratch) != cudaSuccess) return 2;
    avo_args own = *a;
    own.o = (avo_bf16*)memory;
    return redteam::attention(&own, stream) | redteam::copy(a->o, own.o, redteam::elements(a), stream);
}
