/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts what a process takes from the heap: preloaded behind AddressSanitizer, whose hooks it
 * fills. SIGUSR2 appends the count so far to the file that HEAP_COUNT names.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void __sanitizer_malloc_hook(const volatile void *memory, size_t bytes);
void __sanitizer_free_hook(const volatile void *memory);

static atomic_ulong heap_count;
static char heap_path[256];

void __sanitizer_malloc_hook(const volatile void *memory, size_t bytes)
{
    (void)memory;
    (void)bytes;
    atomic_fetch_add(&heap_count, 1);
}

void __sanitizer_free_hook(const volatile void *memory)
{
    (void)memory;
}

static void heap_tell(int signum)
{
    (void)signum;
    char text[24];
    size_t at = sizeof(text);
    unsigned long count = atomic_load(&heap_count);
    text[--at] = '\n';
    do {
        text[--at] = (char)('0' + count % 10);
        count /= 10;
    } while (count > 0);
    int fd = open(heap_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (fd < 0 || write(fd, text + at, sizeof(text) - at) < 0)
        abort();
    close(fd);
}

__attribute__((constructor)) static void heap_begin(void)
{
    const char *path = getenv("HEAP_COUNT");
    if (!path)
        return;
    snprintf(heap_path, sizeof(heap_path), "%s", path);
    struct sigaction action = {.sa_handler = heap_tell, .sa_flags = SA_RESTART};
    sigaction(SIGUSR2, &action, NULL);
}
