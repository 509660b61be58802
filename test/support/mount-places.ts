// Where something is mounted on this machine, for tests that must leave no mount behind.

import { readFile } from 'node:fs/promises';

/** Every place but those that other test files make and remove meanwhile: named network namespaces, and layers of images. */
export async function mountPlaces(): Promise<readonly string[]> {
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).trim().split('\n');
  // proc_pid_mountinfo(5): the fifth field.
  const places = mounts.map((line) => line.split(' ')[4] ?? '');
  return places.filter((place) => !place.startsWith('/run/netns') && !place.includes('/store/overlay'));
}
