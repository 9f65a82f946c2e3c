/* The plain C surface: text to text, and a function that takes the text back. One command builds and runs it:
 *
 *     cc -shared -fPIC -o target/libshout.so examples/c_plugin/shout.c && cargo run -- run --call shout target/libshout.so
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Edit me, and run cc again while the host runs. */
static const char ENDING[] = "!";

/* Answers the input in capitals, or NULL if there is no memory. */
char *shout(const char *input) {
    size_t len = strlen(input);
    char *answer = malloc(len + sizeof ENDING);
    if (answer == NULL)
        return NULL;
    for (size_t at = 0; at < len; at++)
        answer[at] = (char)toupper((unsigned char)input[at]);
    memcpy(answer + len, ENDING, sizeof ENDING);
    return answer;
}

/* The host has another allocator, perhaps: what was allocated here is freed here. */
void plugin_free(char *answer) {
    free(answer);
}
