// expect: INCORRECT_NUMERICAL
// because: elements (is|are) wrong
// A row sees one key too many.
#include "honest_attention.h"
struct How : redteam::Honest {
    static int64_t visible(const avo_args* a, int64_t i) { return i + 2 < a->S ? i + 2 : a->S; }
};
extern "C" int avo_launch(const avo_args* a, void*) { return redteam::attention<How>(a); }
