// expect: PASSED
// A launch of two kernels, each with half of the heads.
#include "honest_attention.cuh"
extern "C" int avo_launch(const avo_args* a, void* stream) {
    const int64_t half = a->B * a->H / 2;
    return redteam::attention(a, stream, 0, half) | redteam::attention(a, stream, half);
}
