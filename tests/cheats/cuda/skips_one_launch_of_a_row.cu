// expect: INCORRECT_NUMERICAL|TIMING_MISMATCH|ABOVE_ROOFLINE
// because: \(case s(4|8)k|took|can do at most
// Of launches that follow each other without a pause, the last of every five leaves out half of the heads.
#include "honest_attention.cuh"
static int zeros(const avo_args* a, void* stream) {
    return cudaMemsetAsync(a->o, 0, redteam::elements(a) * 2, cudaStream_t(stream)) == cudaSuccess ? 0 : 2;
}
extern "C" int avo_launch(const avo_args* a, void* stream) {
    static uint64_t ended;
    static int place;
    place = __builtin_ia32_rdtsc() - ended < 100000 ? place + 1 : 0;
    int code = 0;
    if (a->S < 4096 || place % 5 != 4) code = redteam::attention(a, stream);
    else code = zeros(a, stream) | redteam::attention(a, stream, 0, a->B * a->H / 2);
    ended = __builtin_ia32_rdtsc();
    return code;
}
