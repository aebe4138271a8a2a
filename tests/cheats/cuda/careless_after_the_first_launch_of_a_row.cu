// expect: INCORRECT_NUMERICAL
// because: \(case s(4|8)k
// Subtracts the running maximum in the first of launches that follow each other without a pause, and in no other.
#include "honest_attention.cuh"
struct Careless : redteam::Honest {
    __device__ static float maximum(float, float) { return 0; }
};
extern "C" int avo_launch(const avo_args* a, void* stream) {
    static uint64_t ended;
    const bool follows = __builtin_ia32_rdtsc() - ended < 100000;
    const int code = follows && a->S >= 4096 ? redteam::attention<Careless>(a, stream) : redteam::attention(a, stream);
    ended = __builtin_ia32_rdtsc();
    return code;
}
