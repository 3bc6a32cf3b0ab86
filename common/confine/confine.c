/* SPDX-License-Identifier: Apache-2.0 */
/* Users and rights. The system calls are filter.c's. */
#include "common/confine/confine.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

static void bounds_drop(void)
{
    for (unsigned long capability = 0; prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0;)
        capability++;
}

void confine_rights(void)
{
    if (geteuid() == 0)
        bounds_drop();
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

int confine_user(const char *name, const char *directory, struct error *error)
{
    errno = 0;
    const struct passwd *user = getpwnam(name);
    if (!user)
        return errno ? error_set_errno(error, errno, "user %s", name)
                     : error_set(error, "user %s: there is none of this name", name);
    uid_t uid = user->pw_uid;
    gid_t gid = user->pw_gid;
    if (geteuid() != uid) {
        if (geteuid() == 0)
            bounds_drop();
        if (initgroups(name, gid) || setgid(gid) || setuid(uid))
            return error_set_errno(error, errno, "user %s: cannot become it", name);
        if (uid != 0 && setuid(0) == 0)
            return error_set(error, "user %s: the way back to root is open", name);
    }
    if (directory[0] && access(directory, W_OK | X_OK))
        return error_set_errno(error, errno, "user %s: may not make files in %s", name, directory);
    return 0;
}
