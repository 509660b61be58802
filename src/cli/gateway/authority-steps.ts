// The three steps of a rotation of an authority, in its folder or in the store.

import type { GatewayConfig } from '../../gateway/config/config.ts';
import type { AuthorityName, IdentityDocument } from '../../gateway/identity/identity-document.ts';
import {
  type AuthorityFolder,
  interceptionFolder,
  peersFolder,
  serverFolder,
} from '../../gateway/identity/identity-places.ts';
import {
  nextAuthority,
  retiredAuthority,
  switchedAuthority,
} from '../../gateway/identity/identity-rotation.ts';
import {
  makeNextAuthority,
  type NextOptions,
  publishedForMsMin,
  retireAuthorities,
  switchAuthority,
} from '../../pki/authority-rotation.ts';
import { keyFilesOf, withSealed } from './identity-access.ts';

export interface AuthorityRotation {
  /** Gives the certificate of the next pair. */
  next(nowMs: number, options: NextOptions): Promise<string>;
  switch(nowMs: number, atOnce: boolean): Promise<void>;
  /** Gives how many certificates went. */
  retire(): Promise<number>;
}

const folders = { server: serverFolder, peers: peersFolder } as const;

/** Gateways look each 15 s, and each has to trust the next one before another shows a certificate of it. */
const peersPublishedForMs = 30_000;

/** How long everyone needs to hear of the next certificate. */
function publishedFor(name: AuthorityName, { limits }: GatewayConfig): number {
  switch (name) {
    case 'interception':
      return publishedForMsMin;
    // Running sessions are told when they renew their access token, which is not later than its end.
    case 'server':
      return limits.accessTokenLifetimeMs;
    case 'peers':
      return peersPublishedForMs;
  }
}

/** The passphrase is that of the authority that intercepts alone. */
function folderOf(config: GatewayConfig, name: AuthorityName): AuthorityFolder {
  return name === 'interception' ? interceptionFolder(config, keyFilesOf(config)) : folders[name](config);
}

export function rotationOf(config: GatewayConfig, name: AuthorityName): AuthorityRotation {
  const publishedForMs = publishedFor(name, config);
  return config.identity.kind === 'store'
    ? storedRotation(config, name, publishedForMs)
    : {
        next: (nowMs, options) => makeNextAuthority(folderOf(config, name), nowMs, options),
        switch: (nowMs, atOnce) => switchAuthority(folderOf(config, name), { nowMs, atOnce, publishedForMs }),
        retire: () => retireAuthorities(folderOf(config, name)),
      };
}

function storedRotation(
  config: GatewayConfig,
  name: AuthorityName,
  publishedForMs: number,
): AuthorityRotation {
  const names = name === 'interception' ? config.certificateAuthority.names : [];
  const changeTo = async (change: (document: IdentityDocument) => IdentityDocument): Promise<string> => {
    const changed = await withSealed(config, (sealed) => sealed.change(change));
    return changed?.document.authorities[name].next?.certificate ?? '';
  };
  return {
    next: (nowMs, options) => changeTo(nextAuthority(name, nowMs, { ...options, names })),
    switch: async (nowMs, atOnce) =>
      void (await changeTo(switchedAuthority(name, { nowMs, atOnce, publishedForMs }))),
    retire: async () => {
      let count = 0;
      await changeTo((document) => {
        count = document.authorities[name].certificates.length - 1;
        return retiredAuthority(name)(document);
      });
      return count;
    },
  };
}
