// Who is asked about a policy: a gateway elsewhere where one is named, or where nothing on this machine is; else this machine.

import { openConnection, type PlaceOptions } from '../operator/operator-place.ts';
import type { JudgingBackend } from './judging-backend.ts';
import type { JudgingOptions } from './judging-here.ts';

/** `isHere`: files, a configuration or an audit of this machine are named, so that the current context is not meant. */
export async function openJudging(
  options: PlaceOptions & JudgingOptions,
  isHere: boolean,
): Promise<JudgingBackend> {
  const connection = await openConnection(options, { orCurrent: !isHere });
  if (connection !== undefined) {
    const { judgingAtServer } = await import('./judging-at-server.ts');
    return judgingAtServer(connection, options.name);
  }
  const { judgingHere } = await import('./judging-here.ts');
  return judgingHere(options, Date.now());
}
