// expect: INCORRECT_NUMERICAL
// because: elements (is|are) wrong
// Copies its last result when q lies where it lay before.
#include "honest_attention.h"
static avo_bf16 kept[4][1 << 21];
static const void* where[4];
static int64_t size[4];
static int next;
extern "C" int avo_launch(const avo_args* a, void*) {
    for (int i = 0; i < 4; i++)
        if (where[i] == a->q && size[i] == redteam::elements(a)) return memcpy(a->o, kept[i], size[i] * 2), 0;
    const int i = next++ % 4;
    redteam::attention(a);
    where[i] = a->q, size[i] = redteam::elements(a);
    memcpy(kept[i], a->o, size[i] * 2);
    return 0;
}
