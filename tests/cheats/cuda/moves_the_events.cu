// expect: TIMING_MISMATCH|RUNTIME_ERROR
// because: judge's clock|returned 46
// Records the event of a launch's end right after that of its begin.
#include "honest_attention.cuh"
#include "reach.h"
extern "C" int avo_launch(const avo_args* a, void* stream) {
    static const int failed = redteam::python(
        "r,e=l['runtime'],l['events']\n"
        "real=r.cudaEventRecord\n"
        "def begin(event,stream):\n"
        "    i=next(i for i,x in enumerate(e) if x is event)\n"
        "    return (real(event,stream) or real(e[i+1],stream)) if i%2==0 else 0\n"
        "r.cudaEventRecord=begin\n");
    return failed ? failed : redteam::attention(a, stream);
}
