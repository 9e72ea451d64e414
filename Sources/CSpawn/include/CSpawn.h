#ifndef CSPAWN_H
#define CSPAWN_H

#include <stdbool.h>
#include <sys/types.h>

/// Starts argv[0] in the directory / with default signals, with `input` as its input, descriptors[0] as its output
/// and errors, descriptors[1…] as its descriptors 3, 4, …, and no other descriptor; in a session of its own if asked.
/// Every descriptor must be above 2 + count. Returns 0 or an errno.
///
/// In C because glibc shows the functions it needs only to GNU source.
int cspawn_start(pid_t *process, char *const argv[], char *const environment[], const char *input,
                 const int descriptors[], int count, bool own_session);

/// A pipe whose ends no child inherits. Returns 0 or an errno.
int cspawn_pipe(int ends[2]);

#endif
