// expect: PASSED
// A constructor on the host's side fills a table that every launch hands to its kernel.
#include "honest_attention.cuh"
static float table[4];
__attribute__((constructor)) static void at_load() {
    for (int i = 0; i < 4; i++) table[i] = 1.f + float(i) * 0;
}
extern "C" int avo_launch(const avo_args* a, void* stream) {
    avo_args own = *a;
    own.scale *= table[a->S % 4];
    return redteam::attention(&own, stream);
}
