/* SPDX-License-Identifier: Apache-2.0 */
/* strake, the command line. */
#include "tools/ctl/ctl.h"

int main(int argc, char *argv[])
{
    return ctl_main(argc, argv);
}
