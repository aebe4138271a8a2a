// expect: NOT_WRITTEN
// because: \A(?!.*\d{3}).*hidden test
// Leaves one element of a hidden test unwritten, whose message says how many there are.
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    const int code = redteam::attention(a);
    if (a->S == 191) a->o[redteam::elements(a) - 1] = 0x7fd5;
    return code;
}
