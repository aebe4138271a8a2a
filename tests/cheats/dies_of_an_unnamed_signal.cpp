// expect: RUNTIME_ERROR
// because: signal|killed
// Ends by a signal that has a number and no name.
#include <csignal>
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    raise(40);
    return redteam::attention(a);
}
