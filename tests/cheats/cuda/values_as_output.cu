// expect: INCORRECT_NUMERICAL
// because: elements (is|are) wrong
// Returns an input as the output.
#include "honest_attention.cuh"
extern "C" int avo_launch(const avo_args* a, void* stream) {
    return redteam::copy(a->o, a->v, redteam::elements(a), stream);
}
