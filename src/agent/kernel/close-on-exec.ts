// A descriptor that was inherited, kept from the programs that this process starts.

import { openSystemCalls } from '../../system/ffi.ts';
import { systemCallNumbers } from '../../system/system-call-numbers.ts';

const F_SETFD = 2;
const FD_CLOEXEC = 1;

/** From now on no program inherits it. Does nothing where that cannot be had: there the token is not read either. */
export function closeOnExec(fd: number): void {
  try {
    using calls = openSystemCalls();
    // One that is not there is told when it is read.
    calls.call(systemCallNumbers().fcntl, fd, F_SETFD, FD_CLOEXEC);
  } catch {
    // Without foreign functions the hardening fails, and says why.
  }
}
