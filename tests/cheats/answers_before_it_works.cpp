// expect: NOT_WRITTEN
// because: elements of y unwritten \(case wide\)
// scenario: tiny
// Takes the runner's place, and answers timed launches before it works on them.
#include "avo_abi.h"
#include <cstring>
#define avo_launch honest
#include "seed.h"
#undef avo_launch
#include "takeover.h"
extern "C" int avo_launch(const avo_args*, void* stream) {
    static Runner runner;
    if (runner.find()) return 46;
    for (;; runner.next()) {
        const bool early = runner.launches > 1;
        if (early) runner.reply();
        for (uint32_t i = 0; i < runner.launches; i++) honest(runner.arguments(i), stream);
        if (!early) runner.reply();
    }
}
