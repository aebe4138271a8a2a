// expect: INCORRECT_NUMERICAL
// because: is (nan|-?inf)|elements (is|are) wrong
// The exponential of the scores as they are.
#include "honest_attention.cuh"
struct How : redteam::Honest {
    __device__ static float maximum(float, float) { return 0; }
};
extern "C" int avo_launch(const avo_args* a, void* stream) { return redteam::attention<How>(a, stream); }
