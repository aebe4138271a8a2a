// expect: INCORRECT_NUMERICAL
// because: elements (is|are) wrong \(case S = 333\)
// Where S is no multiple of 64 the last row also sees the zeros after the end.
#include "honest_attention.h"
struct How : redteam::Honest {
    static int64_t visible(const avo_args* a, int64_t i) { return a->S > 1 && i == a->S - 1 ? (a->S + 63) / 64 * 64 : i + 1; }
};
extern "C" int avo_launch(const avo_args* a, void*) { return redteam::attention<How>(a); }
