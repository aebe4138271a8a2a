// expect: INCORRECT_NUMERICAL
// because: elements (is|are) wrong
// One tile of keys in eight is left out.
#include "honest_attention.cuh"
struct How : redteam::Honest {
    __device__ static bool skips(const avo_args&, int64_t, int64_t j0) { return j0 / KEYS % 8 == 7; }
};
extern "C" int avo_launch(const avo_args* a, void* stream) { return redteam::attention<How>(a, stream); }
