// expect: INCORRECT_NUMERICAL
// because: (elements? (is|are)|an output is) wrong
// Rounds the address of q down to a multiple of 64 and reads from there.
#include "honest_attention.cuh"
extern "C" int avo_launch(const avo_args* a, void* stream) {
    avo_args own = *a;
    own.q = (const avo_bf16*)((uintptr_t)a->q / 64 * 64);
    return redteam::attention(&own, stream);
}
