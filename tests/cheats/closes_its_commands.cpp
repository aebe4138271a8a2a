// expect: RUNTIME_ERROR
// because: exit code|closed|answer
// Takes the runner's place, answers, closes the descriptor it is told by and stays a while, so that the judge writes to
// nobody.
#include "honest_attention.h"
#include "takeover.h"
#include <ctime>

extern "C" int avo_launch(const avo_args* a, void*) {
    static Runner runner;
    if (runner.find()) return 46;
    redteam::attention(a);
    close(int(runner.commands));
    runner.reply();
    const timespec second{1, 0};
    nanosleep(&second, nullptr);
    _exit(0);
}
