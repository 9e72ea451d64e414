#define _GNU_SOURCE
#include "CSpawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

int cspawn_start(pid_t *process, char *const argv[], char *const environment[], const char *input,
                 const int descriptors[], int count, bool own_session) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);

    int result = posix_spawn_file_actions_init(&actions);
    if (result != 0) return result;
    result = posix_spawnattr_init(&attributes);
    if (result != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return result;
    }

    result = posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0);
    if (result == 0) result = posix_spawn_file_actions_adddup2(&actions, descriptors[0], 1);
    for (int i = 0; i < count && result == 0; i++) {
        result = posix_spawn_file_actions_adddup2(&actions, descriptors[i], 2 + i);
    }
    if (result == 0) result = posix_spawn_file_actions_addclosefrom_np(&actions, 2 + count);
    // The directory we were started in may be closed to the user that the child becomes.
    if (result == 0) result = posix_spawn_file_actions_addchdir_np(&actions, "/");
    if (result == 0) result = posix_spawnattr_setsigmask(&attributes, &none);
    if (result == 0) result = posix_spawnattr_setsigdefault(&attributes, &all);
    if (result == 0) {
        short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
        if (own_session) flags |= POSIX_SPAWN_SETSID;
        result = posix_spawnattr_setflags(&attributes, flags);
    }
    if (result == 0) result = posix_spawn(process, argv[0], &actions, &attributes, argv, environment);

    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return result;
}

int cspawn_pipe(int ends[2]) {
    return pipe2(ends, O_CLOEXEC) == 0 ? 0 : errno;
}
