// The layers of the jail as facts of the posture, and as one line for a person.

import type { Posture } from '../../protocol/session-messages.ts';
import type { JailReport } from './jail-plan.ts';

export interface JailFacts {
  /** The command cannot read the agent: Landlock holds. */
  readonly jailed: boolean;
  /** Nothing leaves the command's network but through the relay: it has no other, and cannot get one. */
  readonly networkIsolated: boolean;
  /** Names of the layers that hold. */
  readonly layers: readonly string[];
  /** One line for each layer that was wanted and does not hold. */
  readonly notes: readonly string[];
}

/** The report of the helper as facts. Root is jailed only without its capabilities, or as another user. */
export function jailFacts({ layers }: JailReport, isRoot = process.geteuid?.() === 0): JailFacts {
  const held = layers.filter(({ held }) => held).map(({ layer }) => layer);
  const notes = layers
    .filter(({ held }) => !held)
    .map(({ layer, reason }) => `jail: no ${layer}: ${reason ?? 'refused'}`);
  // Seccomp alone is no jail: /proc/PID/mem is a file (docs/reference/jail.md).
  const wall = held.includes('no-new-privs') && held.includes('landlock');
  const powerless = !isRoot || held.includes('capabilities') || held.includes('identity');
  // Without the wall, a process outside could be made to open a socket there.
  const jailed = wall && powerless;
  // Without seccomp, sockets that belong to no namespace lead out, such as AF_VSOCK.
  const networkIsolated = jailed && held.includes('network') && held.includes('seccomp');
  return { jailed, networkIsolated, layers: held, notes };
}

/** A posture that tells of the jail too. */
export function postureWithJail(posture: Posture, jail: JailFacts | undefined): Posture {
  if (jail === undefined) return posture;
  const { jailed, networkIsolated, layers, notes } = jail;
  return { ...posture, jailed, networkIsolated, jailLayers: layers, notes: [...posture.notes, ...notes] };
}
