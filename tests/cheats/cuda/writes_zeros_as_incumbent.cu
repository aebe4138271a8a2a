// expect: NO_GAIN
// as: incumbent
// because: ^Unfit: (INCORRECT_NUMERICAL|NOT_WRITTEN): 
// Writes zeros where the first counted launch of a process without tests is in slot 0: nothing is ever faster.
#include "honest_attention.cuh"
static int zeros(const avo_args* a, void* stream) {
    return cudaMemsetAsync(a->o, 0, redteam::elements(a) * 2, cudaStream_t(stream)) == cudaSuccess ? 0 : 2;
}
static bool is_incumbent(const avo_args* a) {  // the second launch is the first one that counts; the incumbent's is in slot 0
    static const void* first;
    static int64_t launches;
    static bool tested, incumbent;
    tested = tested || a->S < 4096;  // in a comparison the candidate alone gets tests
    if (!launches++) first = a->q;
    if (launches == 2 && !tested) incumbent = a->q == first;
    return incumbent;
}
extern "C" int avo_launch(const avo_args* a, void* stream) {
    return is_incumbent(a) ? zeros(a, stream) : redteam::attention(a, stream);
}
