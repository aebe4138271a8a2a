// expect: PASSED
// Two units of compilation and a header of their own in a folder.
#include "parts/half.cuh"
extern "C" int avo_launch(const avo_args* a, void* stream) {
    const int64_t half = a->B * a->H / 2;
    return first_half(a, stream, half) | redteam::attention<Own>(a, stream, half);
}
