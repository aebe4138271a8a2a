// expect: NO_GAIN
// scenario: tiny
// Takes the runner's place, does half of its launches just after a tick of the scheduler, and spins on after its reply
// while the judge reads the clock of the process, which then stands at that tick.
#include "avo_abi.h"
#include <cstring>
#define avo_launch honest
#include "seed.h"
#undef avo_launch
#include "takeover.h"
#include <ctime>

static int64_t now(clockid_t clock) {
    timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}
static void sleep_until(int64_t t) {
    const timespec at{t / 1000000000, t % 1000000000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr);
}

extern "C" int avo_launch(const avo_args*, void* stream) {
    static Runner runner;
    if (runner.find()) return 46;
    for (int64_t rows = 0;; runner.next()) {
        const bool hide = runner.launches > 1 && ++rows % 6 == 0;
        for (uint32_t i = 0; i < runner.launches; i++) {
            if (hide && i == runner.launches / 2)  // a tick has just passed: nothing is seen until the next
                sleep_until(now(CLOCK_MONOTONIC_COARSE) + 8150000);
            honest(runner.arguments(i), stream);
        }
        runner.reply();
        if (hide)
            for (const int64_t end = now(CLOCK_MONOTONIC) + 3000000; now(CLOCK_MONOTONIC) < end;);
    }
}
