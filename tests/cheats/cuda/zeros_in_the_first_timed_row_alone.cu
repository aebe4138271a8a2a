// expect: INCORRECT_NUMERICAL|TIMING_MISMATCH|ABOVE_ROOFLINE
// because: \(case s(4|8)k|took|can do at most
// The first timed launches of a shape, which decide how many are timed as one, write zeros; all others work.
#include "honest_attention.cuh"
static int zeros(const avo_args* a, void* stream) {
    return cudaMemsetAsync(a->o, 0, redteam::elements(a) * 2, cudaStream_t(stream)) == cudaSuccess ? 0 : 2;
}
static int64_t launch_of(const avo_args* a) {  // which launch of its timed shape this is, from 1 on; 0 in tests
    static int64_t of[2];
    return a->S == 4096 || a->S == 8192 ? ++of[a->S == 8192] : 0;
}
extern "C" int avo_launch(const avo_args* a, void* stream) {
    const int64_t launch = launch_of(a);
    return launch > 4 && launch <= 7 ? zeros(a, stream) : redteam::attention(a, stream);
}
