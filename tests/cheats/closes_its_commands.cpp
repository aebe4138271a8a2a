// expect: FORBIDDEN_LIBRARY
// because: imports PyRun_SimpleString
// Answers, closes the descriptor it is told by and stays a while, so that the judge writes to nobody.
#include "honest_attention.h"
#include "takeover.h"
#include <ctime>

extern "C" int avo_launch(const avo_args* a, void*) {
    static Runner runner;
    runner.find();
    redteam::attention(a);
    close(int(runner.commands));
    runner.reply();
    const timespec second{1, 0};
    nanosleep(&second, nullptr);
    _exit(0);
}
