// expect: TIMING_MISMATCH|RUNTIME_ERROR|NOT_WRITTEN|INCORRECT_NUMERICAL
// because: judge's clock|returned 46|unwritten|elements (is|are) wrong
// Does not wait for the device at all.
#include "honest_attention.cuh"
#include "reach.h"
extern "C" int avo_launch(const avo_args* a, void* stream) {
    static const int failed = redteam::python(
        "l['runtime'].cudaDeviceSynchronize=lambda: 0\n");
    return failed ? failed : redteam::attention(a, stream);
}
