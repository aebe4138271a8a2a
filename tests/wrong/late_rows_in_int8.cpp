// expect: INCORRECT_NUMERICAL
// because: (relative error of .*|wrong) \(case s1k\)
// Logits of late rows of the longest shape are rounded as a product of int8 would be: a tenth of the norm's weight.
#include "honest_attention.h"
static float coarse(float s, float step) { return std::rint(s / step) * step; }
struct How : redteam::Honest {
    static inline bool late;
    static bool skips(const avo_args* a, int64_t i0, int64_t) { return late = a->S == 1024 && i0 >= 512, false; }
    static float score(float s) { return late ? coarse(s, 0.033f) : s; }
};
extern "C" int avo_launch(const avo_args* a, void*) { return redteam::attention<How>(a); }
