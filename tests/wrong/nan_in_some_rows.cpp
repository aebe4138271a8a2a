// expect: INCORRECT_NUMERICAL
// because: is (nan|-?inf)
// Every 64th row divides zero by zero.
#include "honest_attention.h"
struct How : redteam::Honest {
    static float result(float x, int64_t i) { return i % 64 == 63 ? NAN : x; }
};
extern "C" int avo_launch(const avo_args* a, void*) { return redteam::attention<How>(a); }
