// expect: INCORRECT_NUMERICAL
// because: a hidden test
// Writes zeros for every S above the longest that is timed.
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    if (a->S <= 1024) return redteam::attention(a);
    memset(a->o, 0, redteam::elements(a) * 2);
    return 0;
}
