// Requests that were denied, by where and how: no template may admit one.

import type { Destination } from '../../http/destination.ts';
import { mayAdmitAny } from './path-template.ts';
import type { RecordedDecision } from '../../gateway/policies/recorded-decision.ts';

/** Of one method at one destination. Where more were denied, no template is made beside them. */
const pathsMax = 20_000;

interface Denied {
  readonly paths: Set<string>;
  /** Some are not known: nobody can tell what admits them. */
  isPartial: boolean;
}

export class DeniedPaths {
  readonly #denied = new Map<string, Denied>();

  note({ access, partial }: RecordedDecision): void {
    if (access.depth !== 'request') return;
    const key = keyOf(access.destination, access.method);
    const denied = this.#denied.get(key) ?? { paths: new Set<string>(), isPartial: false };
    this.#denied.set(key, denied);
    // Of a path that is not all there nobody can tell what admits it.
    if (partial !== undefined || denied.paths.size >= pathsMax) denied.isPartial = true;
    else denied.paths.add(access.path);
    if (denied.isPartial) denied.paths.clear();
  }

  /** Whether the template may admit what was denied there. */
  contradicts(destination: Destination, method: string, pattern: string): boolean {
    const denied = this.#denied.get(keyOf(destination, method));
    return denied !== undefined && (denied.isPartial || mayAdmitAny(pattern, denied.paths));
  }
}

function keyOf({ scheme, host, port }: Destination, method: string): string {
  return JSON.stringify([scheme, host, port, method]);
}
