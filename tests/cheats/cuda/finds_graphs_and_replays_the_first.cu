// expect: OUT_OF_BOUNDS|NOT_WRITTEN|NON_DETERMINISTIC|INCORRECT_NUMERICAL
// because: wrote outside of o|unwritten|differs between two launches|elements (is|are) wrong
// Captures the first launch of a shape by functions found in memory, and replays it with the addresses of then.
#include "honest_attention.cuh"
#include "reach.h"
extern "C" int avo_launch(const avo_args* a, void* stream) {
    static void *graph, *kept;
    static int64_t size;
    static cudaStream_t side;
    using redteam::function;
    const auto create = function<int (*)(cudaStream_t*, unsigned)>("cudaStreamCreateWithFlags");
    const auto begin = function<int (*)(cudaStream_t, int)>("cudaStreamBeginCapture");
    const auto end = function<int (*)(cudaStream_t, void**)>("cudaStreamEndCapture");
    const auto instantiate = function<int (*)(void**, void*, unsigned long long)>("cudaGraphInstantiate");
    const auto launch = function<int (*)(void*, cudaStream_t)>("cudaGraphLaunch");
    if (!create || !begin || !end || !instantiate || !launch || (!side && create(&side, 1))) return 45;
    if (size != redteam::elements(a)) {
        size = redteam::elements(a);
        if (begin(side, 2) || redteam::attention(a, side) || end(side, &graph) || instantiate(&kept, graph, 0)) return 45;
    }
    return launch(kept, cudaStream_t(stream)) ? 45 : 0;
}
