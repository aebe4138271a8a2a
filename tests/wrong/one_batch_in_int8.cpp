// expect: INCORRECT_NUMERICAL
// because: (relative error of .*|wrong) \(case s(256|512)\)
// Logits of late rows of the last batch of several are rounded as a product of int8 would be.
#include "honest_attention.h"
static float coarse(float s, float step) { return std::rint(s / step) * step; }
struct How : redteam::Honest {
    static inline bool last, late;
    static int64_t v_batch(const avo_args* a, int64_t b) { return last = a->B == 4 && b == 3, b; }
    static bool skips(const avo_args*, int64_t i0, int64_t) { return late = last && i0 >= 128, false; }
    static float score(float s) { return late ? coarse(s, 0.031f) : s; }
};
extern "C" int avo_launch(const avo_args* a, void*) { return redteam::attention<How>(a); }
