// Whether `run` can give its command a network of its own here.

import { spawnSync } from 'node:child_process';

/** Why this user gets no network namespace, or false. */
export function captureObstacle(): false | string {
  const root = process.geteuid?.() === 0;
  const options = root ? [] : ['--user', '--map-current-user', '--keep-caps'];
  const { status, stderr, error } = spawnSync('unshare', [...options, '--net', '--mount', 'true'], {
    encoding: 'utf8',
  });
  if (status === 0) return false;
  return `no network namespace here: ${stderr?.trim() ?? error?.message}`;
}
