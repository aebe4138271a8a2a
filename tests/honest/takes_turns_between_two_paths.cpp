// expect: PASSED
// Walks the heads forwards in one launch and backwards in the next: equally fast, and equal in every bit.
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    static bool backwards;
    backwards = !backwards;
    int code = 0;
    for (int64_t n = 0, heads = a->B * a->H; n < heads; n++) {
        const int64_t head = backwards ? heads - 1 - n : n;
        code |= redteam::attention(a, head, head + 1);
    }
    return code;
}
