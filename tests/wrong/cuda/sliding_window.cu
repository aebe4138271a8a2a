// expect: INCORRECT_NUMERICAL
// because: (elements are wrong \(case s\d+k\)|an output is wrong \(case a hidden test\))
// Rows see their last 2048 keys alone.
#include "honest_attention.cuh"
struct How : redteam::Honest {
    __device__ static bool skips(const avo_args&, int64_t i0, int64_t j0) { return j0 + 2048 < i0; }
};
extern "C" int avo_launch(const avo_args* a, void* stream) { return redteam::attention<How>(a, stream); }
