// expect: TIMEOUT|TIMING_MISMATCH
// because: took|asleep|sle[pe]
// Sleeps for most of what a launch may take, so that the device is held for minutes.
#include "honest_attention.h"
#include <ctime>
extern "C" int avo_launch(const avo_args* a, void*) {
    const timespec most = {0, 800000000};
    nanosleep(&most, nullptr);
    return redteam::attention(a);
}
