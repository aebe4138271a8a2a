// expect: INCORRECT_NUMERICAL
// because: elements (is|are) wrong
// Keys that a row must not see keep a hundredth of the weight of the best one.
#include "honest_attention.cuh"
struct How : redteam::Honest {
    __device__ static float power_of_2(float x) { return redteam::Honest::power_of_2(x) + (x == -INFINITY ? 1e-2f : 0); }
};
extern "C" int avo_launch(const avo_args* a, void* stream) { return redteam::attention<How>(a, stream); }
