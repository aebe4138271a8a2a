// expect: INCORRECT_NUMERICAL
// because: \(case s(4|8)k
// Subtracts no running maximum in timed shapes, where logits were always small.
#include "honest_attention.cuh"
struct Careless : redteam::Honest {
    __device__ static float maximum(float, float) { return 0; }
};
extern "C" int avo_launch(const avo_args* a, void* stream) {
    return a->S == 4096 || a->S == 8192 ? redteam::attention<Careless>(a, stream) : redteam::attention(a, stream);
}
