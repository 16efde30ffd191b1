/* LD_PRELOAD: the nth call of fdatasync on a file named *.db fails as on a broken disk, and no other, as the kernel reports
 * each error once; n is $FAIL_SYNC. */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int is_database(int fd)
{
    char link[64], path[4096];

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof(path));
    return n > 3 && !memcmp(path + n - 3, ".db", 3);
}

int fdatasync(int fd)
{
    static atomic_int calls;
    const char *n = getenv("FAIL_SYNC");

    if (n && is_database(fd) && atomic_fetch_add(&calls, 1) + 1 == atoi(n)) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}
