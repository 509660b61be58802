// What sessions have left that ended without taking it away.

import { asProxyError } from '../../protocol/error.ts';
import { holdsManifests, manifestFolderFault, manifestsIn, removeEmptyFolders } from './manifest-folder.ts';
import { findManifest } from './manifest.ts';
import { hasEnded } from './owner.ts';
import { type MarkCheck, type Placement, undoPlacement } from './placement.ts';

/** What came of a look for leftovers. */
export interface Leftovers {
  readonly sessions: number;
  /** Paths that stay because somebody has changed them, or that cannot be taken away, with the reason. */
  readonly kept: readonly string[];
}

/**
 * What this program places, by where it is and how it looks. A command of a session can be of this user and so write a
 * manifest: it can name nothing else by it.
 */
export interface KnownPlacements {
  readonly isKnown: (placement: Placement) => Promise<boolean>;
  readonly bearsOurMark: MarkCheck;
}

/** Takes away what sessions of this user have left. Harmless where there is nothing. */
export async function removeLeftovers(directory: string, known: KnownPlacements): Promise<Leftovers> {
  const fault = await manifestFolderFault(directory);
  if (fault !== undefined) return { sessions: 0, kept: [`${directory} (${fault})`] };
  const kept: string[] = [];
  let sessions = 0;
  for (const path of await manifestsIn(directory)) {
    await using found = await findManifest(path);
    if (found === undefined || !(await hasEnded(found.owner, found.lock, directory))) continue;
    sessions++;
    const isOwn = ({ kind, path: place }: Placement): boolean =>
      kind === 'folder' && holdsManifests(place, directory);
    const folders = found.placements.filter(isOwn);
    const others = found.placements.filter((placement) => !isOwn(placement));
    const { stayed, failed } = await undoAll(others, known);
    kept.push(...stayed);
    // What was taken away is not taken away again: what is there then may be another's. Where not even that can be
    // written, the manifest stays as it was.
    await found.keep(failed.length === 0 ? [] : [...folders, ...failed]).catch(() => {});
    // Empty ones on the way to the manifests are all that a forged manifest could name here.
    if (failed.length === 0) await removeEmptyFolders(folders.map(({ path: place }) => place));
  }
  return { sessions, kept };
}

interface Undone {
  /** Paths that stay, and why. */
  readonly stayed: readonly string[];
  /** What cannot be taken away, in the order in which it was placed. */
  readonly failed: readonly Placement[];
}

/** Newest first. Without `known` the placements are this process's own. */
export async function undoAll(placements: readonly Placement[], known?: KnownPlacements): Promise<Undone> {
  const stayed: string[] = [];
  const failed: Placement[] = [];
  for (const placement of placements.toReversed()) {
    const { kind, path } = placement;
    try {
      if (known !== undefined && !(await known.isKnown(placement)))
        stayed.push(`${path} (nothing is placed there)`);
      else if (!(await undoPlacement(placement, known?.bearsOurMark)) && kind !== 'folder')
        stayed.push(`${path} (changed since)`);
    } catch (error) {
      // The others are taken away all the same.
      failed.unshift(placement);
      stayed.push(`${path} (${asProxyError(error).message})`);
    }
  }
  return { stayed, failed };
}
