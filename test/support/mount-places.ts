// Where something is mounted on this machine, for tests that must leave no mount behind.

import { readFile } from 'node:fs/promises';

/** Every place but those of named network namespaces: other test files make and remove such meanwhile. */
export async function mountPlaces(): Promise<readonly string[]> {
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).trim().split('\n');
  // proc_pid_mountinfo(5): the fifth field.
  return mounts.map((line) => line.split(' ')[4] ?? '').filter((place) => !place.startsWith('/run/netns'));
}
