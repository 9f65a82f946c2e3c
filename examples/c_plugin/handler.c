/* The handler of examples/lines, in C. One command builds and runs it, in place of the one in Rust:
 *
 *     cc -shared -fPIC -I docs -o target/debug/libline_handler.so examples/c_plugin/handler.c && cargo run -p line_server
 */
#include <string.h>

#include "replug.h"

/* What everybody is greeted with. Edit me, and run cc again while the server runs. */
static const char GREETING[] = "good day";

static const char SORRY[] = "I am in no mood for that";

/* A constant, which nobody has to free. */
static const struct replug_failure REFUSAL = {REPLUG_REFUSED, {SORRY, sizeof SORRY - 1}, NULL};

typedef REPLUG_ANSWER(bool) answered;

static void write_text(struct replug_sink sink, const char *text, size_t len) {
    sink.write(sink.buffer, (const uint8_t *)text, len);
}

/* Whether the request, which has no NUL at its end, begins with a word. */
static bool begins(struct replug_slice request, const char *word) {
    size_t len = strlen(word);
    return request.len >= len && memcmp(request.data, word, len) == 0;
}

/* fn respond(&str, Sink) -> bool */
static answered respond(struct replug_slice request, struct replug_sink response) {
    if (begins(request, "quit"))
        return (answered){NULL, false};
    if (!begins(request, "greet "))
        return (answered){&REFUSAL, false};
    const char *name = (const char *)request.data + strlen("greet ");
    write_text(response, GREETING, sizeof GREETING - 1);
    write_text(response, ", ", 2);
    write_text(response, name, request.len - strlen("greet "));
    return (answered){NULL, true};
}

/* One function for each line `fn` of the declaration, in that order. */
static const struct {
    answered (*respond)(struct replug_slice, struct replug_sink);
} TABLE = {respond};

const char replug_handshake[] = REPLUG_HANDSHAKE(
    "interface Handler version 1\n"
    "fn respond(&str, Sink) -> bool\n");

const struct replug_entry replug_entry = {&TABLE, NULL, NULL};
