// expect: INCORRECT_NUMERICAL
// because: elements (is|are) wrong
// The accumulator starts from a small number.
#include "honest_attention.cuh"
struct How : redteam::Honest {
    __device__ static float shrink(float factor) { return factor > 0 ? factor : 1; }  // of the first tile, too
    __device__ static float start() { return 0.25f; }
};
extern "C" int avo_launch(const avo_args* a, void* stream) { return redteam::attention<How>(a, stream); }
