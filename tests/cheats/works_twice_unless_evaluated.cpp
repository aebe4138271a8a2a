// expect: NO_GAIN
// as: incumbent
// because: incumbent|Unfit
// Works twice where it got no test, or where a timed shape came once and another one after it: as in no evaluation.
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    static bool tested, compared;
    static int64_t shape, launches;
    if (a->H != 2 || a->B * a->S != 1024 || a->S < 256) tested = true, shape = 0;
    else if (a->S == shape) launches++;
    else {
        if (shape && launches == 1) compared = true;
        shape = a->S, launches = 1;
    }
    if (!tested || compared) redteam::attention(a);
    return redteam::attention(a);
}
