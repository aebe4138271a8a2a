// expect: INCORRECT_NUMERICAL
// because: elements (is|are) wrong
// Each row sees one key too many.
#include "honest_attention.cuh"
struct How : redteam::Honest {
    __device__ static bool sees(const avo_args&, int64_t i, int64_t j) { return j <= i + 1; }
};
extern "C" int avo_launch(const avo_args* a, void* stream) { return redteam::attention<How>(a, stream); }
