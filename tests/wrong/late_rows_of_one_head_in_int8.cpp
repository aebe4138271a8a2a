// expect: INCORRECT_NUMERICAL
// because: relative error of .* > 0.004 \(case s1k\)|wrong \(case s1k\)
// Logits of one head's late rows are rounded more coarsely still.
#include "honest_attention.h"
static float coarse(float s, float step) { return std::rint(s / step) * step; }
struct How : redteam::Honest {
    static inline bool late, head;
    static int64_t kv_head(const avo_args*, int64_t h) { return head = h == 1, h; }
    static bool skips(const avo_args* a, int64_t i0, int64_t) { return late = head && a->S == 1024 && i0 >= 512, false; }
    static float score(float s) { return late ? coarse(s, 0.031f) : s; }
};
extern "C" int avo_launch(const avo_args* a, void*) { return redteam::attention<How>(a); }
