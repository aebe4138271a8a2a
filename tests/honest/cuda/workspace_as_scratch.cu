// expect: PASSED
// Keeps the output of each launch in a workspace that it rounds up to 1024 bytes, where it fits, and copies it.
#include "honest_attention.cuh"
extern "C" int avo_launch(const avo_args* a, void* stream) {
    const int64_t count = redteam::elements(a), room = 8 * a->D * (a->S + 256) - 1024;
    if (count * 2 > room) return redteam::attention(a, stream);
    avo_args own = *a;
    own.o = (avo_bf16*)(((uintptr_t)a->workspace + 1023) / 1024 * 1024);
    return redteam::attention(&own, stream) | redteam::copy(a->o, own.o, count, stream);
}
