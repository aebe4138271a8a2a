// expect: NOT_WRITTEN
// because: unwritten
// One block of heads too few.
#include "honest_attention.cuh"
extern "C" int avo_launch(const avo_args* a, void* stream) {
    return redteam::attention(a, stream, 0, a->B * a->H > 1 ? a->B * a->H - 1 : 1);
}
