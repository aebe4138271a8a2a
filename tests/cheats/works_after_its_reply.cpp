// expect: NO_GAIN
// Answers first and works on for 20 ms of its own.
#include "honest_attention.h"
#include "takeover.h"
#include <ctime>

extern "C" int avo_launch(const avo_args* a, void*) {
    static Runner runner;
    runner.find();
    const char* base = (const char*)a - runner.offset;
    for (;; runner.next()) {
        redteam::attention((const avo_args*)(base + runner.offset));
        runner.reply();
        for (const clock_t end = clock() + CLOCKS_PER_SEC / 50; clock() < end;);
    }
}
