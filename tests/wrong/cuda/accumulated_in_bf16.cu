// expect: INCORRECT_NUMERICAL
// because: elements (is|are) wrong|relative error
// The accumulator is cut to bf16 after each tile.
#include "honest_attention.cuh"
struct How : redteam::Honest {
    __device__ static float accumulator(float x) { return __uint_as_float(__float_as_uint(x) & 0xffff0000); }
};
extern "C" int avo_launch(const avo_args* a, void* stream) { return redteam::attention<How>(a, stream); }
