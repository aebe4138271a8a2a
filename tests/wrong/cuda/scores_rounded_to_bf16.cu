// expect: INCORRECT_NUMERICAL
// because: elements (is|are) wrong|relative error
// Scores lose 16 bits before the softmax.
#include "honest_attention.cuh"
struct How : redteam::Honest {
    __device__ static float score(float s) { return redteam::rounded(s); }
};
extern "C" int avo_launch(const avo_args* a, void* stream) { return redteam::attention<How>(a, stream); }
