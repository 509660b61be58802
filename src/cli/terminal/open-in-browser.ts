// The browser of the user.

import { spawn } from 'node:child_process';

/** Whoever opens addresses here; that it can't is said. */
export function openInBrowser({ href }: URL): void {
  const program = process.platform === 'darwin' ? 'open' : 'xdg-open';
  const child = spawn(program, [href], { stdio: 'ignore', detached: true });
  child.on('error', () => {
    process.stderr.write(`upstreamproxy: ${program} is not here; open the address yourself\n`);
  });
  child.unref();
}
