// expect: PASSED
// Sums the weights as the second product sees them.
#include "honest_attention.cuh"
struct How : redteam::Honest {
    __device__ static float weight(float p) { return redteam::rounded(p); }
};
extern "C" int avo_launch(const avo_args* a, void* stream) { return redteam::attention<How>(a, stream); }
