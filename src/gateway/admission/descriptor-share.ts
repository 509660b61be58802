// How many of this process's descriptors strangers may hold: the rest is a reserve for those who belong here, and for their origins.

/** A quarter of the soft limit in the text of `/proc/self/limits` (`man 5 proc`); unlimited, or a text that says nothing, is no bound. */
export function descriptorShare(limitsText: string): number {
  const line = limitsText.split('\n').find((one) => one.startsWith('Max open files'));
  const soft = Number(line?.slice('Max open files'.length).trim().split(' ', 1)[0]);
  return Number.isSafeInteger(soft) ? Math.floor(soft / 4) : Number.MAX_SAFE_INTEGER;
}
