// expect: PASSED
// The first launch of each shape takes twice as long: it makes a schedule, which depends on dimensions alone.
#include "honest_attention.h"
#include <map>
#include <vector>
extern "C" int avo_launch(const avo_args* a, void*) {
    static std::map<int64_t, std::vector<float>> schedules;
    auto& schedule = schedules[a->S];
    if (schedule.empty())
        for (int64_t i = 0; i < a->S * 300; i++) schedule.push_back(std::sin(float(i)));
    return redteam::attention(a) + int(schedule[0] > 1);
}
