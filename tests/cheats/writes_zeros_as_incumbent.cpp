// expect: NO_GAIN
// as: incumbent
// because: ^Unfit: (INCORRECT_NUMERICAL|NOT_WRITTEN): 
// scenario: tiny
// Writes zeros where the first counted launch of a process without tests is in slot 0: nothing is ever faster.
#include "avo_abi.h"
#include <cstring>
#define avo_launch honest
#include "seed.h"
#undef avo_launch
static bool timed(const avo_args* a) { return a->C == 4096; }
extern "C" int avo_launch(const avo_args* a, void* stream) {
    static const void* first;
    static int64_t launches;
    static bool tested, incumbent;
    tested = tested || !timed(a);  // in a comparison the candidate alone gets tests
    if (!launches++) first = a->a;
    if (launches == 5 && !tested) incumbent = a->a == first;
    if (!incumbent) return honest(a, stream);
    memset(a->y, 0, a->R * 4);
    return 0;
}
