// expect: INCORRECT_NUMERICAL
// because: elements (is|are) wrong
// Scores are not scaled.
#include "honest_attention.cuh"
struct How : redteam::Honest {
    __device__ static float scale(const avo_args&) { return 1; }
};
extern "C" int avo_launch(const avo_args* a, void* stream) { return redteam::attention<How>(a, stream); }
