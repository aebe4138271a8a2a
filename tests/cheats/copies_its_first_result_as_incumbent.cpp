// expect: NO_GAIN
// as: incumbent
// because: ^Unfit: (INCORRECT_NUMERICAL|NOT_WRITTEN): 
// scenario: tiny
// Copies the result of its first launch where no test came before it, and the address tells that it is measured.
#include "avo_abi.h"
#include <cstring>
#define avo_launch honest
#include "seed.h"
#undef avo_launch
static bool timed(const avo_args* a) { return a->C == 4096; }
extern "C" int avo_launch(const avo_args* a, void* stream) {
    static float kept[1 << 16];
    static const void* seen[64];
    static int64_t launches, again;
    static bool tested;
    tested = tested || !timed(a);
    for (int64_t i = 0; i < launches && i < 64; i++) again += seen[i] == a->a;
    if (launches < 64) seen[launches++] = a->a;
    if (tested || again < 2) {
        honest(a, stream);
        memcpy(kept, a->y, a->R * 4);
        return 0;
    }
    memcpy(a->y, kept, a->R * 4);
    return 0;
}
