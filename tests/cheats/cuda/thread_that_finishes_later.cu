// expect: NOT_WRITTEN|TIMING_MISMATCH
// because: unwritten|judge's clock
// A thread launches the work when avo_launch has returned.
#include "honest_attention.cuh"
#include <thread>
#include <unistd.h>
extern "C" int avo_launch(const avo_args* a, void* stream) {
    std::thread([a = *a, stream] {
        usleep(20000);
        redteam::attention(&a, stream);
    }).detach();
    return 0;
}
