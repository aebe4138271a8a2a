// expect: PASSED
// Leaves its own loop by an exception that it catches.
#include <stdexcept>
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    try {
        redteam::attention(a);
        throw std::runtime_error("done");
    } catch (const std::exception&) {
        return 0;
    }
}
