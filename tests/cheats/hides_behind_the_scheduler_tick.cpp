// expect: NO_GAIN
// Spins on after its reply while the judge reads the clock of the process, which then stands at the last tick.
#include "honest_attention.h"
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
static Runner runner;

extern "C" int avo_launch(const avo_args* a, void*) {
    runner.find();
    char* base = (char*)a - runner.offset;
    int64_t S = 0, launches = 0, size = 0;  // bytes of a set of buffers
    for (;; runner.next()) {
        a = (const avo_args*)(base + runner.offset);
        const int64_t offset = runner.offset;
        if (a->S != S) S = a->S, launches = 0, size = 0;
        if (offset && (!size || offset < size)) size = offset;
        const bool hide = ++launches > 6 && launches % 10 == 7 && a->B > 1 && a->B * a->S == 1024;
        const int64_t half = hide ? a->B * a->H / 2 : INT64_MAX;
        redteam::attention(a, 0, half);
        if (!hide) {
            runner.reply();
            continue;
        }
        auto next = (const avo_args*)(base + (offset / size == 2 ? 0 : offset + size));
        volatile uint8_t* mark = next->workspace + 8 * a->D * (a->S + 256) + (64 << 10) - 1;  // painted last
        *mark = 1;
        sleep_until(now(CLOCK_MONOTONIC_COARSE) + 8150000);  // a tick has just passed: nothing is seen until the next
        redteam::attention(a, half);
        runner.reply();
        for (const int64_t end = now(CLOCK_MONOTONIC) + 3000000; *mark == 1 && now(CLOCK_MONOTONIC) < end;);
        for (const int64_t end = now(CLOCK_MONOTONIC) + 60000; now(CLOCK_MONOTONIC) < end;);
    }
}
