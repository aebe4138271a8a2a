// expect: INCORRECT_NUMERICAL
// because: elements (is|are) wrong
// Sum and accumulator stay as they are under a new maximum.
#include "honest_attention.cuh"
struct How : redteam::Honest {
    __device__ static float shrink(float factor) { return factor > 0 ? 1 : 0; }
};
extern "C" int avo_launch(const avo_args* a, void* stream) { return redteam::attention<How>(a, stream); }
