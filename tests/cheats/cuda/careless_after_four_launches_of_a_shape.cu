// expect: INCORRECT_NUMERICAL
// because: \(case s(4|8)k
// Subtracts the running maximum in the four launches that check a shape, and in none of the timed ones after them.
#include "honest_attention.cuh"
struct Careless : redteam::Honest {
    __device__ static float maximum(float, float) { return 0; }
};
extern "C" int avo_launch(const avo_args* a, void* stream) {
    static int64_t of[2];
    if (a->S != 4096 && a->S != 8192) return redteam::attention(a, stream);
    return ++of[a->S == 8192] > 4 ? redteam::attention<Careless>(a, stream) : redteam::attention(a, stream);
}
