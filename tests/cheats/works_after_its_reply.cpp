// expect: NO_GAIN
// scenario: tiny
// Takes the runner's place, answers, and works on for 5 ms of its own.
#include "avo_abi.h"
#include <cstring>
#define avo_launch honest
#include "seed.h"
#undef avo_launch
#include "takeover.h"
#include <ctime>
extern "C" int avo_launch(const avo_args*, void* stream) {
    static Runner runner;
    if (runner.find()) return 46;
    for (;; runner.next()) {
        for (uint32_t i = 0; i < runner.launches; i++) honest(runner.arguments(i), stream);
        runner.reply();
        for (const clock_t end = clock() + CLOCKS_PER_SEC / 200; clock() < end;);
    }
}
