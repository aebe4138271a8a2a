// expect: PASSED
// Walks the heads in two halves, in one launch the first half first, in the next one the second.
#include "honest_attention.cuh"
extern "C" int avo_launch(const avo_args* a, void* stream) {
    static bool second;
    second = !second;
    const int64_t heads = a->B * a->H, half = heads / 2;
    if (second) return redteam::attention(a, stream, half, heads) | redteam::attention(a, stream, 0, half);
    return redteam::attention(a, stream, 0, half) | redteam::attention(a, stream, half, heads);
}
