// expect: INCORRECT_NUMERICAL
// because: elements (is|are) wrong
// 2^x by a straight line between powers.
#include "honest_attention.cuh"
struct How : redteam::Honest {
    __device__ static float power_of_2(float x) {
        if (x < -126.f) return 0;
        const float n = floorf(x);
        return ldexpf(1.f + (x - n), int(n));
    }
};
extern "C" int avo_launch(const avo_args* a, void* stream) { return redteam::attention<How>(a, stream); }
