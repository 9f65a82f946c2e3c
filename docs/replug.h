/* replug.h: what a plugin in C or C++ needs to implement an interface that a host in Rust declares with
 * `replug::interface!`.
 *
 * A plain plugin needs nothing of it. `replug run --call NAME` calls these two:
 *
 *     char *NAME(const char *input);    borrows its input; returns text that it allocated, or NULL
 *     void plugin_free(char *answer);   takes it back; NULL is ignored
 *
 * An interface takes two constants, which this header declares, exported and with C linkage:
 *
 *     const char replug_handshake[] = REPLUG_HANDSHAKE("interface ...");
 *     const struct replug_entry replug_entry = {&table, NULL, NULL};
 *
 * The text is the host's declaration; `<Name as replug::Interface>::DECLARATION` is it, to be printed once.
 * The host reads it out of the file before anything runs, and compares. The table is a struct of your own, with one
 * function pointer for each line `fn` of the declaration, in that order. What crosses:
 *
 *     declared                     as a parameter              as a result
 *     u8 .. u64, i8 .. i64         uint8_t .. int64_t          REPLUG_ANSWER(uint8_t) ..
 *     usize, isize                 size_t, ptrdiff_t           REPLUG_ANSWER(size_t) ..
 *     f32, f64                     float, double               REPLUG_ANSWER(float) ..
 *     bool                         bool, which is 0 or 1       REPLUG_ANSWER(bool): never another bit
 *     a `shared!` struct           the same struct             REPLUG_ANSWER(struct ..)
 *     &T, &mut T                   const T *, T *              never
 *     &[T], &str                   struct replug_slice         never: write to a sink
 *     &mut [T]                     struct replug_slice_mut     never
 *     Sink                         struct replug_sink          never
 *     nothing                                                  struct replug_done
 *
 * All pointers are lent for the call: keep none. &str is UTF-8 without a NUL at its end. What is only read must not be
 * written to. No exception of C++ and no longjmp may leave a function. The functions may be called from several
 * threads at once, the hooks are not. Compiled against the Rust side by a test.
 */
#ifndef REPLUG_H
#define REPLUG_H

#include <stddef.h>
#include <stdint.h>
#ifndef __cplusplus
#include <stdbool.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Any number of things, borrowed. Of none, data says nothing. */
struct replug_slice {
    const void *data;
    size_t len; /* how many there are, not how many bytes */
};

/* The same, borrowed for writing. */
struct replug_slice_mut {
    void *data;
    size_t len;
};

/* Where text or bytes are written for the host: sink.write(sink.buffer, data, len), as often as you like. */
struct replug_sink {
    void *buffer;
    void (*write)(void *buffer, const uint8_t *data, size_t len);
};

/* Why there is no result. The host copies the message and then calls free, unless that is NULL: a constant needs none. */
struct replug_failure {
    uint32_t kind;
    struct replug_slice message; /* bytes of UTF-8 */
    void (*free)(const struct replug_failure *failure);
};

/* The kinds: a fault of the plugin, which in Rust is a panic; and a refusal, whose message stands for itself. */
#define REPLUG_PANICKED 1
#define REPLUG_REFUSED 2

/* What a function returns: a failure, or NULL and a value. */
#define REPLUG_ANSWER(type)                   \
    struct {                                  \
        const struct replug_failure *failure; \
        type value;                           \
    }

/* What one returns that has no value. */
struct replug_done {
    const struct replug_failure *failure;
};

/* A version of state. */
struct replug_saved {
    const struct replug_failure *failure;
    uint32_t value;
};

/* What the host calls at the turning points of a generation's life, on one thread; docs/contract.md has the order. */
struct replug_hooks {
    struct replug_done (*init)(void);
    struct replug_done (*stop)(void);
    struct replug_saved (*save)(struct replug_sink state); /* NULL if there is no state to carry over */
    struct replug_done (*restore)(uint32_t version, struct replug_slice state);
};

/* Where the host finds all that. */
struct replug_entry {
    const void *table;
    const struct replug_hooks *hooks; /* NULL if there are none */
    const void *attach;               /* NULL: services for the threads of plugins in Rust */
};

/* How the structs above lie in memory, and one more that C has no use for. A host compares it with its own. */
#if UINTPTR_MAX > 0xffffffff
#define REPLUG_LAYOUTS \
    "layout Entry size 24: table at 0, hooks at 8, attach at 16\n" \
    "layout HookTable size 32: init at 0, stop at 8, save at 16, restore at 24\n" \
    "layout Services size 80: image at 0, at_thread_exit at 8, create_key at 16, delete_key at 24, set at 32, get at 40, spawn at 48, handles at 56, looks_up at 64, end at 72\n" \
    "layout Answered size 8: failure at 0\n" \
    "layout Answered of u64 size 16: failure at 0, value at 8\n" \
    "layout Offer size 24: object at 0, table at 16\n" \
    "layout Offered of u64 size 16: value at 0, failure at 8\n" \
    "layout Failure size 32: kind at 0, message at 8, free at 24\n" \
    "layout Slice size 16: data at 0, len at 8\n" \
    "layout SliceMut size 16: data at 0, len at 8\n" \
    "layout Sink size 16: buffer at 0, write at 8\n"
#elif defined(__i386__) && !defined(_WIN32)
#define REPLUG_LAYOUTS \
    "layout Entry size 12: table at 0, hooks at 4, attach at 8\n" \
    "layout HookTable size 16: init at 0, stop at 4, save at 8, restore at 12\n" \
    "layout Services size 40: image at 0, at_thread_exit at 4, create_key at 8, delete_key at 12, set at 16, get at 20, spawn at 24, handles at 28, looks_up at 32, end at 36\n" \
    "layout Answered size 4: failure at 0\n" \
    "layout Answered of u64 size 12: failure at 0, value at 4\n" \
    "layout Offer size 12: object at 0, table at 8\n" \
    "layout Offered of u64 size 12: value at 0, failure at 8\n" \
    "layout Failure size 16: kind at 0, message at 4, free at 12\n" \
    "layout Slice size 8: data at 0, len at 4\n" \
    "layout SliceMut size 8: data at 0, len at 4\n" \
    "layout Sink size 8: buffer at 0, write at 4\n"
#else
#error "no host was built for such a processor yet: its layouts are to be written here"
#endif

/* The handshake with the host's declaration behind it. "panic unwind" says that nothing ends the process. */
#define REPLUG_HANDSHAKE(declaration) \
    "replug handshake 3\n"            \
    "rustc a C compiler\n"            \
    "panic unwind\n" REPLUG_LAYOUTS declaration

/* Exported, whatever else the compiler is told to hide. */
#if defined(_WIN32)
#define REPLUG_EXPORT __declspec(dllexport)
#elif defined(__GNUC__)
#define REPLUG_EXPORT __attribute__((visibility("default")))
#else
#define REPLUG_EXPORT
#endif

extern REPLUG_EXPORT const char replug_handshake[];
extern REPLUG_EXPORT const struct replug_entry replug_entry;

#ifdef __cplusplus
}
#endif

#endif
