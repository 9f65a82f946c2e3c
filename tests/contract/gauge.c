/* A plugin in C with everything that crosses, and hooks; see c.rs. It is compiled with DECLARATION, the host's own, and
 * STATE, the version of its state. */
#include "replug.h"

#define DONE ((struct replug_done){NULL})
#define REFUSED(text) {REPLUG_REFUSED, {text, sizeof text - 1}, NULL}

struct pair {
    uint32_t whole;
    double half;
};

typedef REPLUG_ANSWER(double) answered_double;
typedef REPLUG_ANSWER(float) answered_float;
typedef REPLUG_ANSWER(bool) answered_bool;
typedef REPLUG_ANSWER(struct pair) answered_pair;
typedef REPLUG_ANSWER(int64_t) answered_int64;
typedef REPLUG_ANSWER(uint8_t) answered_uint8;

static const struct replug_failure NEVER = REFUSED("never");
static const struct replug_failure UNKNOWN = REFUSED("state of another version");
static uint8_t calls;
static bool is_ready;

static answered_double halve(double number) {
    return (answered_double){NULL, number / 2};
}

static answered_float narrow(double number) {
    return (answered_float){NULL, (float)number};
}

static answered_bool is_even(int32_t number) {
    return (answered_bool){NULL, number % 2 == 0};
}

static answered_pair split(uint32_t whole, double half) {
    return (answered_pair){NULL, {whole, half}};
}

static answered_double weigh(const struct pair *pair, struct pair by) {
    return (answered_double){NULL, pair->whole * by.half};
}

static struct replug_done swell(struct pair *pair) {
    pair->whole *= 2;
    return DONE;
}

static answered_int64 sum(struct replug_slice numbers) {
    int64_t sum = 0;
    for (size_t at = 0; at < numbers.len; at++)
        sum += ((const int64_t *)numbers.data)[at];
    return (answered_int64){NULL, sum};
}

static struct replug_done fill(struct replug_slice_mut numbers, uint16_t with) {
    for (size_t at = 0; at < numbers.len; at++)
        ((uint16_t *)numbers.data)[at] = with;
    return DONE;
}

static struct replug_done refuse(void) {
    return (struct replug_done){&NEVER};
}

static answered_uint8 count(void) {
    return (answered_uint8){NULL, is_ready ? ++calls : 0};
}

static const struct {
    answered_double (*halve)(double);
    answered_float (*narrow)(double);
    answered_bool (*is_even)(int32_t);
    answered_pair (*split)(uint32_t, double);
    answered_double (*weigh)(const struct pair *, struct pair);
    struct replug_done (*swell)(struct pair *);
    answered_int64 (*sum)(struct replug_slice);
    struct replug_done (*fill)(struct replug_slice_mut, uint16_t);
    struct replug_done (*refuse)(void);
    answered_uint8 (*count)(void);
} TABLE = {halve, narrow, is_even, split, weigh, swell, sum, fill, refuse, count};

static struct replug_done init(void) {
    is_ready = true;
    return DONE;
}

static struct replug_done stop(void) {
    is_ready = false;
    return DONE;
}

static struct replug_saved save(struct replug_sink state) {
    state.write(state.buffer, &calls, sizeof calls);
    return (struct replug_saved){NULL, STATE};
}

static struct replug_done restore(uint32_t version, struct replug_slice state) {
    if (version != STATE || state.len != sizeof calls)
        return (struct replug_done){&UNKNOWN};
    calls = *(const uint8_t *)state.data;
    return DONE;
}

static const struct replug_hooks HOOKS = {init, stop, save, restore};

const char replug_handshake[] = REPLUG_HANDSHAKE(DECLARATION);

const struct replug_entry replug_entry = {&TABLE, &HOOKS, NULL};
