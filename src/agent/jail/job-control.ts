// Job control across the jail: when the command stops itself, the agent, which the shell outside watches, stops too.

import { processState } from '../kernel/process-table.ts';

/**
 * Follows the stops of a child and sends it on again. Inside the jail the command cannot stop its process group, as
 * editors do on Ctrl-Z, for the agent in it is out of its reach; and the shell outside waits for the agent.
 */
export function followStops(child: { readonly pid?: number | undefined }): Disposable {
  const onChild = (): void => {
    const { pid } = child;
    if (pid === undefined) return;
    const own = processState('self');
    const state = processState(pid);
    // Without a terminal there is no shell that would send us on again.
    if (state?.state !== 'T' || own === undefined || own.terminal === 0) return;
    if (state.group === own.group) process.kill(0, 'SIGTSTP');
    else process.kill(process.pid, 'SIGSTOP');
  };
  const onContinue = (): void => {
    const { pid } = child;
    if (pid === undefined) return;
    // Its group, if it made one of its own, has heard nothing.
    if (processState(pid)?.state === 'T') process.kill(pid, 'SIGCONT');
  };
  process.on('SIGCHLD', onChild);
  process.on('SIGCONT', onContinue);
  return {
    [Symbol.dispose]: () => {
      process.off('SIGCHLD', onChild);
      process.off('SIGCONT', onContinue);
    },
  };
}

/** Whether keys of the terminal reach both this process and the child: then signals of keys need not be passed on. */
export function sharesForeground(pid: number | undefined): boolean {
  const own = processState('self');
  if (pid === undefined || own === undefined || own.terminal === 0) return false;
  return own.foregroundGroup === own.group && processState(pid)?.group === own.group;
}
