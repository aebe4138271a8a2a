// expect: INCORRECT_NUMERICAL
// because: relative error of .* > 0.004 \(case s1k\)|wrong \(case s1k\)
// Late rows of the longest shape are rounded to few bits in their last 64 columns.
#include "honest_attention.h"
struct How : redteam::Honest {
    static inline bool longest;
    static bool skips(const avo_args* a, int64_t, int64_t) { return longest = a->S == 1024, false; }
    static float result(float x, int64_t i) {
        static int64_t element;
        if (element++ % 128 < 64 || i < 512 || !longest) return x;
        const uint32_t bits = std::bit_cast<uint32_t>(x);
        return std::bit_cast<float>((bits + 0x1ffff) & 0xfffc0000);
    }
};
extern "C" int avo_launch(const avo_args* a, void*) { return redteam::attention<How>(a); }
