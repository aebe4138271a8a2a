// expect: INCORRECT_NUMERICAL
// because: elements (is|are) wrong
// The last tile of keys is left out where there is another.
#include "honest_attention.cuh"
struct How : redteam::Honest {
    __device__ static int64_t end(const avo_args& a, int64_t rows) {
        const int64_t all = min(a.S, rows);
        return all > KEYS ? (all - 1) / KEYS * KEYS : all;
    }
};
extern "C" int avo_launch(const avo_args* a, void* stream) { return redteam::attention<How>(a, stream); }
