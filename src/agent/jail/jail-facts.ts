// The layers of the jail as facts of the posture, and as one line for a person.

import type { Posture } from '../../protocol/session-messages.ts';
import type { JailReport } from './jail-plan.ts';

export interface JailFacts {
  /** The command cannot read the agent: Landlock holds. */
  readonly jailed: boolean;
  /** Nothing leaves the command's network but through the relay: it has no other, and cannot get one. */
  readonly networkIsolated: boolean;
  /** What its user keeps from others cannot be had by the command. */
  readonly filesHidden: boolean;
  /** Names of the layers that hold. */
  readonly layers: readonly string[];
  /** One line for each layer that was wanted and does not hold. */
  readonly notes: readonly string[];
}

/** The report of the helper as facts. Root is jailed only without its capabilities. What was not measured is not told. */
export function jailFacts({ layers, measures }: JailReport, isRoot = process.geteuid?.() === 0): JailFacts {
  const held = layers.filter(({ held }) => held).map(({ layer }) => layer);
  const notes = layers
    .filter(({ held }) => !held)
    .map(({ layer, reason }) => `jail: no ${layer}: ${reason ?? 'refused'}`);
  // Seccomp alone is no jail: /proc/PID/mem is a file (docs/reference/jail.md).
  const wall = held.includes('no-new-privs') && held.includes('landlock');
  // What the next program can have was looked at, as well as what root can write; as whom it runs, the kernel said.
  const staysRoot = held.includes('identity') ? measures?.uid === 0 : isRoot;
  const powerless = measures?.isPowerful === false && (!staysRoot || held.includes('capabilities'));
  // Without the wall, a process outside could be made to open a socket there.
  const jailed = wall && powerless;
  const streams = measures?.networkStreams ?? [];
  if (streams.length > 0)
    notes.push(`jail: standard stream ${streams.join(', ')} is a socket of a network outside`);
  const lost = measures?.lostStreams ?? [];
  if (lost.length > 0)
    notes.push(`jail: standard stream ${lost.join(', ')} is a folder that cannot be had inside: /dev/null`);
  if (held.includes('processes') && measures?.ownTerminals === false)
    notes.push('jail: other terminals of this user can be read and written');
  const inherited = measures?.inherited ?? [];
  if (inherited.length > 0) notes.push(`jail: the command has descriptor ${inherited.join(', ')} of outside`);
  const ways = measures?.networkWays;
  if (held.includes('network') && ways?.length !== 0)
    notes.push(`jail: the network leads out: ${ways?.join(', ') ?? 'it was not looked at'}`);
  if (held.includes('seccomp') && measures?.reachesOwnAlone === false)
    notes.push(
      'jail: ptrace and its like are refused, for nothing was seen to keep processes outside out of reach',
    );
  // Without seccomp, sockets that belong to no namespace lead out, such as AF_VSOCK.
  const networkIsolated =
    jailed &&
    held.includes('network') &&
    held.includes('seccomp') &&
    streams.length + inherited.length === 0 &&
    ways?.length === 0;
  return { jailed, networkIsolated, filesHidden: held.includes('files'), layers: held, notes };
}

/** A posture that tells of the jail too. */
export function postureWithJail(posture: Posture, jail: JailFacts | undefined): Posture {
  if (jail === undefined) return posture;
  const { jailed, networkIsolated, filesHidden, layers, notes } = jail;
  return {
    ...posture,
    jailed,
    networkIsolated,
    filesHidden,
    jailLayers: layers,
    notes: [...posture.notes, ...notes],
  };
}
