// The largest element of each row, one row after the other.
#include "avo_abi.h"

extern "C" int avo_launch(const avo_args* a, void*) {
    for (int64_t r = 0; r < a->R; r++) {
        float most = a->x[r * a->C];
        for (int64_t j = 1; j < a->C; j++) most = a->x[r * a->C + j] > most ? a->x[r * a->C + j] : most;
        a->y[r] = most;
    }
    return 0;
}
