// expect: PASSED
// Reads its factor from constant memory.
#include "honest_attention.cuh"
__constant__ float log2e_over_e[2] = {1.4426950f, 1.4426950f};
struct How : redteam::Honest {
    __device__ static float scale(const avo_args& a) { return a.scale * log2e_over_e[blockIdx.x % 2] / 1.4426950f; }
};
extern "C" int avo_launch(const avo_args* a, void* stream) { return redteam::attention<How>(a, stream); }
