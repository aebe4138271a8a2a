// expect: INCORRECT_NUMERICAL
// because: elements (is|are) wrong
// 2^x, but scaled for 2.7^x.
#include "honest_attention.cuh"
struct How : redteam::Honest {
    __device__ static float scale(const avo_args& a) { return a.scale * 0.6931472f; }
};
extern "C" int avo_launch(const avo_args* a, void* stream) { return redteam::attention<How>(a, stream); }
