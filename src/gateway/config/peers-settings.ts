// What the configuration says of other gateways on the same store.

import type { PeersDocument } from './peers-schema.ts';

export interface PeersSettings {
  readonly address: string;
  readonly port: number;
  /** By which others reach it. */
  readonly host: string;
}

/** None where the file has no `peers`. */
export function peersSettings(document: PeersDocument | undefined): { readonly peers?: PeersSettings } {
  if (document === undefined) return {};
  const { listen, host = listen.address } = document;
  return { peers: { ...listen, host } };
}

/** That of one of several workers, counted from 1. */
export function peerPortOf({ port }: Pick<PeersSettings, 'port'>, worker: number): number {
  return port === 0 ? 0 : port + worker - 1;
}
