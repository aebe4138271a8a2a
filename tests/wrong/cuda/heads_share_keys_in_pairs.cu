// expect: INCORRECT_NUMERICAL
// because: elements (is|are) wrong
// Head h reads the keys of head h / 2 * 2.
#include "honest_attention.cuh"
struct How : redteam::Honest {
    __device__ static int64_t kv_head(const avo_args&, int64_t h) { return h / 2 * 2; }
};
extern "C" int avo_launch(const avo_args* a, void* stream) { return redteam::attention<How>(a, stream); }
