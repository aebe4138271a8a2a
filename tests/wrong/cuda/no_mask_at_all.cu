// expect: INCORRECT_NUMERICAL
// because: elements (is|are) wrong
// Every row sees every key.
#include "honest_attention.cuh"
struct How : redteam::Honest {
    __device__ static bool sees(const avo_args&, int64_t, int64_t) { return true; }
    __device__ static int64_t end(const avo_args& a, int64_t) { return a.S; }
};
extern "C" int avo_launch(const avo_args* a, void* stream) { return redteam::attention<How>(a, stream); }
