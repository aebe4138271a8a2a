// expect: NOT_WRITTEN
// because: unwritten
// Works once for each shape and takes later launches for the same.
#include "honest_attention.cuh"
static int64_t done[4];
extern "C" int avo_launch(const avo_args* a, void* stream) {
    const int64_t now[] = {a->B, a->S, a->H, 1};
    if (done[0] == now[0] && done[1] == now[1] && done[2] == now[2]) return 0;
    for (int i = 0; i < 4; i++) done[i] = now[i];
    return redteam::attention(a, stream);
}
