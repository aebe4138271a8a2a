// expect: PASSED
// 2^x by a polynomial on the FMA units, in place of ex2.
#include "honest_attention.cuh"
struct How : redteam::Honest {
    __device__ static float power_of_2(float x) {  // x <= 0
        if (x < -126.f) return 0;
        const float n = rintf(x), f = x - n;
        float p = 0.00961813f + f * (0.00133336f + f * 0.00015404f);
        p = 1.f + f * (0.69314718f + f * (0.24022651f + f * (0.05550411f + f * p)));
        return __int_as_float(__float_as_int(p) + (int(n) << 23));
    }
};
extern "C" int avo_launch(const avo_args* a, void* stream) { return redteam::attention<How>(a, stream); }
