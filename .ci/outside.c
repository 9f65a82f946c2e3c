/* Stands under wine for a program of this machine whose name it has: cargo, rustc, or a compiler of C. It hands on what it was
   told, with the paths of wine as this machine has them, and hands back what that program said and how it ended. wine starts such
   programs by itself as well, but it gives them no pipes, and does not wait for them. */
#include <fcntl.h>
#include <io.h>
#include <windows.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* wine's own function: starts a program of this machine, and waits for it. */
typedef LONG(WINAPI *Spawn)(char *const arguments[], int waits);

static const char *all[4096];
static int count;

static void add(const char *argument) {
    if (count == sizeof all / sizeof *all - 1)
        exit(125);
    all[count++] = argument;
}

/* A text with a path of wine at its beginning, or behind the first `=`, as this machine has the path: wine has all of it at Z:, and C:
   is a directory of its own. */
static char *as_outside(const char *text) {
    const char *prefix = getenv("WINEPREFIX"), *path = text, *equals = strchr(text, '=');
    char *made = malloc(strlen(text) + strlen(prefix) + 32), *slash;
    if (equals && strcspn(text, ":\\/ ") > (size_t)(equals - text))
        path = equals + 1;
    slash = made + (path - text);
    memcpy(made, text, path - text);
    if (!strncmp(path, "\\\\?\\", 4))
        path += 4;
    if (!strncmp(path, "C:\\", 3))
        sprintf(slash, "%s/drive_c%s", prefix, path + 2);
    else
        strcpy(slash, path + (strncmp(path, "Z:\\", 3) ? 0 : 2));
    if (*slash == '/' || *slash == '\\')
        for (; *slash; slash++)
            if (*slash == '\\')
                *slash = '/';
    return made;
}

/* Says what was said outside into a file. */
static void say(const char *file, FILE *to) {
    char bytes[4096];
    size_t read;
    char *path = malloc(strlen(file) + 3);
    sprintf(path, "Z:%s", file);
    FILE *from = fopen(path, "rb");
    _setmode(_fileno(to), _O_BINARY);
    while (from && (read = fread(bytes, 1, sizeof bytes, from)) > 0)
        fwrite(bytes, 1, read, to);
    if (from)
        fclose(from);
    remove(path);
}

int main(int argc, char **argv) {
    static const char *passed[] = {"CARGO_", "PLUGIN", "REPLUG", "RUSTFLAGS", "RUST_"};
    const char *directory = getenv("OUTSIDE"), *name = strrchr(argv[0], '\\');
    Spawn spawn = (Spawn)(void *)GetProcAddress(GetModuleHandleA("ntdll.dll"), "__wine_unix_spawnvp");
    char files[2][512], tool[64];
    if (!spawn || !directory)
        return 125;
    snprintf(tool, sizeof tool, "%s", name ? name + 1 : argv[0]);
    if (strstr(tool, ".exe"))
        *strstr(tool, ".exe") = 0;
    for (int file = 0; file < 2; file++)
        snprintf(files[file], sizeof files[file], "%s/%lu.%d", directory, GetCurrentProcessId(), file);
    add("/bin/sh");
    add("-c");
    /* The names of these programs are those of wine here. */
    add("out=$1; err=$2; shift 2; unset CARGO RUSTC; exec env \"$@\" </dev/null >\"$out\" 2>\"$err\"");
    add("sh");
    add(files[0]);
    add(files[1]);
    for (char *variable = GetEnvironmentStringsA(); *variable; variable += strlen(variable) + 1)
        for (size_t it = 0; it < sizeof passed / sizeof *passed; it++)
            if (!strncmp(variable, passed[it], strlen(passed[it])))
                add(as_outside(variable));
    if (!strcmp(tool, "cc"))
        add("x86_64-w64-mingw32-gcc");
    else
        add(tool);
    for (int it = 1; it < argc; it++)
        add(as_outside(argv[it]));
    int status = spawn((char *const *)all, 1);
    say(files[0], stdout);
    say(files[1], stderr);
    return status;
}
