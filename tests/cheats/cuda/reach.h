// Ways to what a candidate may not import: functions found by walking the symbol tables of all that is loaded, the
// interpreter that the runner runs in, and code of others that is written over.
#pragma once
#include <cstdint>
#include <cstring>
#include <link.h>
#include <sys/mman.h>

namespace redteam {
struct Wanted {
    const char* name;
    void* found;
};

inline uint32_t symbols_of(const uint32_t* hash) {  // how many there are: one past the end of the last chain
    const uint32_t buckets = hash[0], first = hash[1], *bucket = hash + 4 + hash[2] * 2, *chain = bucket + buckets;
    uint32_t last = 0;
    for (uint32_t i = 0; i < buckets; i++) last = bucket[i] > last ? bucket[i] : last;
    if (last < first) return 0;
    while (!(chain[last - first] & 1)) last++;
    return last + 1;
}

inline int look_in(dl_phdr_info* object, size_t, void* data) {
    Wanted& wanted = *(Wanted*)data;
    const ElfW(Sym)* symbols = nullptr;
    const char* names = nullptr;
    const uint32_t* hash = nullptr;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        if (object->dlpi_phdr[i].p_type != PT_DYNAMIC) continue;
        for (auto entry = (const ElfW(Dyn)*)(object->dlpi_addr + object->dlpi_phdr[i].p_vaddr); entry->d_tag; entry++) {
            if (entry->d_tag == DT_SYMTAB) symbols = (const ElfW(Sym)*)entry->d_un.d_ptr;
            if (entry->d_tag == DT_STRTAB) names = (const char*)entry->d_un.d_ptr;
            if (entry->d_tag == DT_GNU_HASH) hash = (const uint32_t*)entry->d_un.d_ptr;
        }
    }
    if (!symbols || !hash || (uintptr_t)symbols < object->dlpi_addr) return 0;  // the vdso's are not relocated
    for (uint32_t i = 0, count = symbols_of(hash); i < count; i++)
        if (symbols[i].st_shndx && symbols[i].st_value && !strcmp(names + symbols[i].st_name, wanted.name)) {
            wanted.found = (void*)(object->dlpi_addr + symbols[i].st_value);
            return 1;
        }
    return 0;
}

// The address of a function in whatever library; null when there is none.
template <class F = void*>
F function(const char* name) {
    Wanted wanted{name, nullptr};
    dl_iterate_phdr(look_in, &wanted);
    return (F)wanted.found;
}

// Runs a program in the runner's interpreter; the frame's globals are `g`, its locals `l`. 0 when all is well.
inline int python(const char* program) {
    char text[2000] = "import sys\nf=sys._getframe()\nwhile 'number' not in f.f_locals: f=f.f_back\n"
                      "g,l=f.f_globals,f.f_locals\n";
    strncat(text, program, sizeof text - strlen(text) - 1);
    const auto ensure = function<int (*)()>("PyGILState_Ensure");
    const auto release = function<void (*)(int)>("PyGILState_Release");
    const auto run = function<int (*)(const char*)>("PyRun_SimpleString");
    if (!ensure || !release || !run) return 46;
    const int state = ensure();
    const int code = run(text);
    release(state);
    return code ? 46 : 0;
}

// A function of a library that is replaced by writing a jump over its first bytes.
struct Patch {
    uint8_t *code = nullptr, own[12];
    uint8_t jump[12] = {0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xe0};  // mov rax, to; jmp rax

    bool install(const char* name, void* to) {
        code = function<uint8_t*>(name);
        const uintptr_t page = (uintptr_t)code & ~uintptr_t(4095);
        if (!code || mprotect((void*)page, 8192, PROT_READ | PROT_WRITE | PROT_EXEC)) return false;
        memcpy(own, code, sizeof own);
        memcpy(jump + 2, &to, sizeof to);
        on();
        return true;
    }
    void on() { memcpy(code, jump, sizeof jump); }
    void off() { memcpy(code, own, sizeof own); }  // so that the real one can be called
};

// From now on cudaEventElapsedTime tells `part` of the time.
inline Patch patch;
inline float part_told = 1;
inline bool was_asked;
inline int forged(float* milliseconds, void* start, void* stop) {
    patch.off();
    const int code = ((int (*)(float*, void*, void*))patch.code)(milliseconds, start, stop);
    patch.on();
    *milliseconds *= part_told;
    was_asked = true;
    return code;
}
inline bool forge(float part) {
    part_told = part;
    return patch.install("cudaEventElapsedTime", (void*)forged);
}
}  // namespace redteam
