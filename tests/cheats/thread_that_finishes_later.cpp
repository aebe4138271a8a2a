// expect: RUNTIME_ERROR
// because: system call that candidates may not make
// Lets a thread do the work and returns at once.
#include <thread>
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    static avo_args kept;
    kept = *a;
    std::thread([] { redteam::attention(&kept); }).detach();
    return 0;
}
