// expect: INCORRECT_NUMERICAL
// because: (elements are wrong \(case s\d+k\)|an output is wrong \(case a hidden test\))
// A single tile of keys is left out, and only where there are many.
#include "honest_attention.cuh"
struct How : redteam::Honest {
    __device__ static bool skips(const avo_args& a, int64_t, int64_t j0) { return a.S >= 4096 && j0 == 1024; }
};
extern "C" int avo_launch(const avo_args* a, void* stream) { return redteam::attention<How>(a, stream); }
