// expect: PASSED
// Keeps the old maximum while the new one is hardly larger: right, and another order of rounding.
#include "honest_attention.cuh"
struct How : redteam::Honest {
    __device__ static float maximum(float before, float now) { return now - before < 8 ? before : now; }
};
extern "C" int avo_launch(const avo_args* a, void* stream) { return redteam::attention<How>(a, stream); }
