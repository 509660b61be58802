// What a maker of a key or certificate left that was killed between writing it aside and giving it its name.

import { lstatSync, readdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';

/** As those of this folder and of the signing key write aside. */
const asidePattern = /^\.?([\w-]+\.(?:key|pem))\.[0-9a-f]{16}$/;
/** A maker is done in much less. */
const strayMsMin = 60_000;

/**
 * Takes second names of finished files away, and unfinished ones that are old: a copy of a key is a key. What cannot be looked at or
 * removed stays.
 */
export function removeLeftNames(directory: string, nowMs: number = Date.now()): void {
  for (const name of readdirSync(directory)) {
    const finished = asidePattern.exec(name)?.[1];
    if (finished === undefined) continue;
    const path = join(directory, name);
    const aside = lstatSync(path, { throwIfNoEntry: false });
    if (aside?.isFile() !== true) continue;
    const named = lstatSync(join(directory, finished), { throwIfNoEntry: false });
    const isNamed = named?.ino === aside.ino && named.dev === aside.dev;
    if (isNamed || nowMs - aside.mtimeMs > strayMsMin) unlinkSync(path);
  }
}
