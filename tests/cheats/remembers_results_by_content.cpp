// expect: NO_GAIN
// Copies its result when the inputs are those of the launch before.
#include "honest_attention.h"
static avo_bf16 seen[3][1 << 21], kept[1 << 19];
static int64_t known;
extern "C" int avo_launch(const avo_args* a, void*) {
    const int64_t n = redteam::elements(a);
    const avo_bf16* inputs[3] = {a->q, a->k, a->v};
    bool same = known == n * a->S;
    for (int i = 0; i < 3 && same; i++) same = !memcmp(seen[i], inputs[i], n * 2);
    if (same) return memcpy(a->o, kept, n * 2), 0;
    redteam::attention(a);
    for (int i = 0; i < 3; i++) memcpy(seen[i], inputs[i], n * 2);
    memcpy(kept, a->o, n * 2);
    known = n * a->S;
    return 0;
}
