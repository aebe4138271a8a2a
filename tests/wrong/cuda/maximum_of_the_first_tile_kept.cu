// expect: INCORRECT_NUMERICAL
// because: is (nan|-?inf)|elements (is|are) wrong
// The maximum of the first tile serves all of them.
#include "honest_attention.cuh"
struct How : redteam::Honest {
    __device__ static float maximum(float before, float now) { return before == -INFINITY ? now : before; }
};
extern "C" int avo_launch(const avo_args* a, void* stream) { return redteam::attention<How>(a, stream); }
