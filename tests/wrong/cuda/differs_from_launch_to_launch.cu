// expect: NON_DETERMINISTIC
// because: differs between two launches
// The last bit follows the clock.
#include "honest_attention.cuh"
struct How : redteam::Honest {
    __device__ static float result(float x) { return clock64() >> 4 & 1 ? x : x * 1.002f; }
};
extern "C" int avo_launch(const avo_args* a, void* stream) { return redteam::attention<How>(a, stream); }
